"""The work of each process of a worker group: training the missing generations of a chain; needs no Ray.

Called by `ban_ray.runtime.train_run` in every Ray Train worker, and directly in a debugger, a test or a notebook.
"""

from ban_ray.runtime.worker.generations import train_generations

__all__ = ["train_generations"]
