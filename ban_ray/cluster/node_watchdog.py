"""The end of a search whose own Ray node has died; it would wait for ever for new nodes."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ban_ray.errors import ClusterLost

CHECK_INTERVAL_S = 2.0
SIGNAL = signal.SIGUSR2
"""Wakes the main thread; Ray itself uses the other one."""


@contextmanager
def raise_if_node_dies(interval_s: float = CHECK_INTERVAL_S) -> Iterator[None]:
    """Check every `interval_s` seconds that the node that this process is attached to lives.

    Only in the main thread, which a signal can wake; in other threads nothing is watched.

    Raises:
        ClusterLost: it has died.
    """
    main = threading.main_thread().ident
    if threading.get_ident() != main:
        yield
        return
    import ray

    node = ray.get_runtime_context().get_node_id()
    ended, lost = threading.Event(), threading.Event()

    def watch() -> None:
        while not ended.wait(interval_s):
            if not any(other["NodeID"] == node and other["Alive"] for other in ray.nodes()):
                lost.set()
                signal.pthread_kill(main, SIGNAL)
                return

    handler = signal.signal(SIGNAL, _interrupt)
    watcher = threading.Thread(target=watch, name="own node", daemon=True)
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
        ended.set()
        watcher.join(interval_s)
        signal.signal(SIGNAL, handler)


def _interrupt(_: int, __: FrameType | None) -> None:
    # Tune wraps every exception but this one.
    raise KeyboardInterrupt
