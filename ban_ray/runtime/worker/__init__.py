"""The work of each process of a worker group: training the missing generations of chains; needs no Ray.

Called by `ban_ray.runtime.worker_loop` in every Ray Train worker, and directly in a debugger, a test or a notebook.
"""

from ban_ray.runtime.worker.job_trainer import JobTrainer
from ban_ray.runtime.worker.stop_signal import StopSignal

__all__ = ["JobTrainer", "StopSignal"]
