"""Checkpoints, written by a thread beside the training, at intervals that keep their cost low."""

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from ban_ray.population import Storage, checkpoints
from ban_ray.training import State
from ban_ray.training.checkpoint import to_bytes

_log = logging.getLogger(__name__)

MAX_COPY_TIME_FRACTION = 0.05
"""Largest fraction of the training time that may be spent on copying states."""


class AsyncCheckpointer:
    """Saves the checkpoints of one training; leaving the ``with`` block waits for the last write.

    While a state is being written, newer ones are skipped. A slow storage therefore does not slow the training: it only
    means that more epochs are repeated after a crash.

    Args:
        key: key of the generation.
        job_id: id of the training job, which names its checkpoints.
    """

    def __init__(self, storage: Storage, key: str, job_id: str) -> None:
        self._storage, self._key, self._job_id = storage, key, job_id
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._writing: Future[None] | None = None
        self._due = 0.0

    def save_if_due(self, state: State) -> bool:
        """Save a copy of the state in the background, unless a save is in progress or not due.

        Returns:
            Whether the state is being saved.

        Raises:
            OSError: the previous state could not be written.
        """
        is_busy = self._writing is not None and not self._writing.done()
        if is_busy or time.monotonic() < self._due:
            return False
        self._start_saving(state)
        return True

    def save_and_wait(self, state: State) -> None:
        """Save the state; returns when it is stored.

        Raises:
            OSError: the previous state or this one could not be written.
        """
        self._start_saving(state).result()

    def _start_saving(self, state: State) -> Future[None]:
        """Start writing a copy of the state, once the previous one is written."""
        if self._writing is not None:
            self._writing.result()
        started = time.monotonic()
        data = to_bytes(state)
        duration = time.monotonic() - started
        self._due = started + duration / MAX_COPY_TIME_FRACTION
        self._writing = self._thread.submit(
            checkpoints.save, self._storage, self._key, self._job_id, state["epoch"], data
        )
        return self._writing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._thread.shutdown(wait=True)
        if self._writing is not None and (failed := self._writing.exception()) is not None:
            # Publication or another error comes next and reports on the storage itself.
            _log.warning("the last checkpoint of %s was not written: %s", self._key[:12], failed)
