"""Calls of the mailboxes that a search's `JobBroker` holds."""

from collections.abc import Sequence
from typing import Any

from ban_ray.runtime.events import JobAddress

STOP_JOBS_TIMEOUT_S = 2.0


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


def request_stop(broker: Any, address: JobAddress) -> Any:
    """Ask the workers of a job to stop between two steps; the returned `ObjectRef` is ready when they have stopped."""
    return broker.call.remote(address.mailbox_name, "stop_job", address.job_id)


def stop_jobs(broker: Any, addresses: Sequence[JobAddress]) -> None:
    """Ask the workers of jobs to stop, and wait until all have stopped, for at most `STOP_JOBS_TIMEOUT_S` seconds."""
    import ray

    if addresses:
        requests = [request_stop(broker, address) for address in addresses]
        ray.wait(requests, num_returns=len(requests), timeout=STOP_JOBS_TIMEOUT_S)
