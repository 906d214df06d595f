"""Ends a search whose own Ray node has died, which would wait for ever for nodes to come."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ban_ray.errors import ClusterLost

LOOK_EVERY_S = 2.0
SIGNAL = signal.SIGUSR2
"""Wakes the main thread; Ray itself uses the other one."""


@contextmanager
def raise_if_node_dies(every_s: float = LOOK_EVERY_S) -> Iterator[None]:
    """Look every `every_s` seconds whether the node that this process is attached to lives.

    Only in the main thread, the one that a signal can wake; elsewhere nothing is watched.

    Raises:
        ClusterLost: it has died.
    """
    main = threading.main_thread().ident
    if threading.get_ident() != main:
        yield
        return
    import ray

    node = ray.get_runtime_context().get_node_id()
    over, lost = threading.Event(), threading.Event()

    def look() -> None:
        while not over.wait(every_s):
            if not any(each["NodeID"] == node and each["Alive"] for each in ray.nodes()):
                lost.set()
                signal.pthread_kill(main, SIGNAL)
                return

    before = signal.signal(SIGNAL, _interrupt)
    watcher = threading.Thread(target=look, name="own node", daemon=True)
    watcher.start()
    try:
        yield
    except KeyboardInterrupt:
        if lost.is_set():
            raise ClusterLost(
                "the Ray node that this search is attached to has died (its raylet ended); what was published stays, "
                "and the same command goes on from here"
            ) from None
        raise
    finally:
        over.set()
        watcher.join(every_s)
        signal.signal(SIGNAL, before)


def _interrupt(_: int, __: FrameType | None) -> None:
    # Tune wraps every exception but this one.
    raise KeyboardInterrupt
