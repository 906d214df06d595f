"""The `JobBroker`, the actor that carries the messages of all worker groups of a search.

Imports nothing but the standard library and Ray, so that the actor starts in a process that has imported Ray alone.
"""

from collections import defaultdict
from typing import Any

from ban_ray.runtime.mailbox import JobMailbox

MAX_CONCURRENT_CALLS = 100_000
"""Maximum number of pending calls, of which each worker has a few."""


class JobBroker:
    """The actor of a search that holds the mailbox of each worker group."""

    def __init__(self) -> None:
        self._mailboxes: defaultdict[str, JobMailbox] = defaultdict(JobMailbox)

    async def call(self, mailbox_name: str, method: str, *arguments: Any) -> Any:
        """Call a method of the `JobMailbox` of this name."""
        return await getattr(self._mailboxes[mailbox_name], method)(*arguments)


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
