"""Ending a Ray Train run in order, from the process of the trial that started it.

A controller that dies with its trial sees its workers die first and starts them anew in its last moment: their
resources stay taken until somebody looks (`ban_ray.cluster.orphaned_groups`). Told before, it ends its workers and
gives the resources back at once.
"""

import base64
import pickle
from contextlib import suppress

CONTROLLER_FIELD = "controller"
"""Of the record that carries a handle from the controller to its trial."""

_WAIT_S = 10.0
_running: list[str] = []


def own_handle() -> dict[str, str]:
    """In a controller: the record that tells its trial how to reach it."""
    import ray

    return {CONTROLLER_FIELD: base64.b64encode(ray.cloudpickle.dumps(ray.get_runtime_context().current_actor)).decode()}


def register(handle: str) -> None:
    """In a trial: its run is led by this controller now."""
    _running[:] = [handle]


def clear() -> None:
    """In a trial: its run has ended."""
    _running.clear()


def abort_run() -> None:
    """In a trial that is stopped: end its run, if there is one."""
    import ray

    while _running:
        controller = pickle.loads(base64.b64decode(_running.pop()))
        # It answers by dying.
        with suppress(ray.exceptions.RayError):
            ray.get(controller.abort.remote(), timeout=_WAIT_S)
