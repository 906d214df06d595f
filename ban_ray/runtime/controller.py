"""The controller of a trial's Ray Train run, so that a trial that is stopped ends its run in order.

A controller that dies with its trial sees its workers die first and starts them anew in its last moment: their
resources stay taken until somebody looks (`ban_ray.cluster.orphaned_groups`). Told before, it ends its workers and
gives the resources back at once.
"""

from contextlib import suppress
from typing import Any

_WAIT_S = 10.0
_running: list[Any] = []


def register(controller: Any) -> None:
    """Remember the actor that controls this trial's run."""
    _running[:] = [controller]


def clear() -> None:
    """Forget it: the run has ended."""
    _running.clear()


def abort_run() -> None:
    """End this trial's run, if there is one; the trial itself was stopped."""
    import ray

    while _running:
        # The actor answers by dying.
        with suppress(ray.exceptions.RayError):
            ray.get(_running.pop().abort.remote(), timeout=_WAIT_S)
