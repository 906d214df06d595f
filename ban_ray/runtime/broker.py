"""The way to a search's `JobBroker`: one process for the messages of all its worker groups."""

from typing import Any

from ban_ray.runtime.events import TrainingStarted
from ban_ray.runtime.mailbox import JobBroker

MAX_CONCURRENT_CALLS = 100_000
"""Calls that may wait at once: a few for each worker."""

STOP_JOBS_TIMEOUT_S = 2.0


def start_broker(name: str) -> Any:
    """Start the broker of a search on this node; it ends with this process, or when nobody refers to it."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    options = {"name": name, "max_concurrency": MAX_CONCURRENT_CALLS, "max_restarts": -1, "scheduling_strategy": here}
    return ray.remote(num_cpus=0)(JobBroker).options(**options).remote()


class MailboxClient:
    """One mailbox of a broker.

    Args:
        broker: the broker's name.
        name: the mailbox's name.
    """

    def __init__(self, broker: str, name: str) -> None:
        import ray

        self._broker: Any = ray.get_actor(broker)
        self._name = name

    def call_async(self, method: str, *arguments: Any, task: str = "") -> Any:
        """Call a method of the `JobMailbox` without waiting; returns Ray's reference.

        Args:
            task: name of the call on the dashboard's page of tasks.
        """
        call = self._broker.call.options(name=task) if task else self._broker.call
        return call.remote(self._name, method, *arguments)

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the `JobMailbox`, and wait for what it returns.

        Raises:
            ray.exceptions.RayError: the broker's process has died.
        """
        import ray

        return ray.get(self.call_async(method, *arguments))


def request_stop(broker: Any, job: TrainingStarted) -> Any:
    """Ask the workers of a job to stop at the end of their step; Ray's reference is ready when they have."""
    return broker.call.remote(job.mailbox, "stop_job", job.job_id)


def stop_jobs(broker: Any, jobs: list[TrainingStarted]) -> None:
    """Ask the workers of jobs to stop, and wait for `STOP_JOBS_TIMEOUT_S` seconds until all have."""
    import ray

    if jobs:
        ray.wait([request_stop(broker, job) for job in jobs], num_returns=len(jobs), timeout=STOP_JOBS_TIMEOUT_S)
