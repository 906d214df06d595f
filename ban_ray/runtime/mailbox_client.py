"""Access to a search's `JobBroker`, the actor that carries the messages of all worker groups."""

from typing import Any

from ban_ray.runtime.events import JobSubmitted
from ban_ray.runtime.mailbox import JobBroker

MAX_CONCURRENT_CALLS = 100_000
"""Maximum number of pending calls, of which each worker has a few."""

STOP_JOBS_TIMEOUT_S = 2.0


def start_broker(execution_name: str) -> Any:
    """Start the broker of an execution on this node; it ends with this process, or when nothing refers to it."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    options = {
        "name": execution_name,
        "max_concurrency": MAX_CONCURRENT_CALLS,
        "max_restarts": -1,
        "scheduling_strategy": here,
    }
    return ray.remote(num_cpus=0)(JobBroker).options(**options).remote()


class MailboxClient:
    """Calls one mailbox of a broker."""

    def __init__(self, execution_name: str, mailbox_name: str) -> None:
        import ray

        self._broker: Any = ray.get_actor(execution_name)
        self._mailbox_name = mailbox_name

    def call_async(self, method: str, *arguments: Any, task_name: str = "") -> Any:
        """Call a method of the `JobMailbox` without waiting; returns Ray's `ObjectRef` of the result.

        Args:
            task_name: name of the call on the dashboard's page of tasks.
        """
        call = self._broker.call.options(name=task_name) if task_name else self._broker.call
        return call.remote(self._mailbox_name, method, *arguments)

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the `JobMailbox`, and wait for what it returns.

        Raises:
            ray.exceptions.RayError: the broker's process has died.
        """
        import ray

        return ray.get(self.call_async(method, *arguments))


def request_stop(broker: Any, job: JobSubmitted) -> Any:
    """Ask the workers of a job to stop between two steps; the returned `ObjectRef` is ready when they have stopped."""
    return broker.call.remote(job.mailbox_name, "stop_job", job.job_id)


def stop_jobs(broker: Any, jobs: list[JobSubmitted]) -> None:
    """Ask the workers of jobs to stop, and wait until all have stopped, for at most `STOP_JOBS_TIMEOUT_S` seconds."""
    import ray

    if jobs:
        ray.wait([request_stop(broker, job) for job in jobs], num_returns=len(jobs), timeout=STOP_JOBS_TIMEOUT_S)
