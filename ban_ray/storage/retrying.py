"""Retries of operations on a storage that cannot be reached for a while."""

import errno
import itertools
import logging
import time
from collections.abc import Callable
from typing import TypeVar

import tenacity

from ban_ray.storage.base import Entry, Storage

PATIENCE_S = 90.0

_TRANSIENT = frozenset(
    {
        errno.ESTALE,
        errno.EIO,
        errno.ENOTCONN,
        errno.ETIMEDOUT,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ECONNRESET,
        errno.ECONNREFUSED,
        errno.ECONNABORTED,
    }
)
"""Errors of a network or a server; a full disk or a missing permission is reported at once."""

_logger = logging.getLogger(__name__)
T = TypeVar("T")


class RetryingStorage:
    """Repeats operations, with growing pauses, that failed since the storage could not be reached."""

    def __init__(
        self, inner: Storage, *, patience_s: float = PATIENCE_S, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """
        Args:
            patience_s: seconds after which the last error is raised.
            sleep: waits for the given seconds.
        """
        self._inner = inner
        self._patience_s = patience_s
        self._sleep = sleep

    @property
    def url(self) -> str:
        return self._inner.url

    def read(self, path: str, *, at_most: int | None = None) -> bytes:
        return self.retry(lambda _: self._inner.read(path, at_most=at_most))

    def head(self, path: str, size: int) -> bytes:
        return self.retry(lambda _: self._inner.head(path, size))

    def write(self, path: str, data: bytes) -> None:
        self.retry(lambda _: self._inner.write(path, data))

    def create(self, path: str, data: bytes) -> bool:
        def attempt(number: int) -> bool:
            if self._inner.create(path, data):
                return True
            # An earlier attempt whose answer was lost may have created it.
            return number > 1 and self._holds(path, data)

        return self.retry(attempt)

    def exists(self, path: str) -> bool:
        return self.retry(lambda _: self._inner.exists(path))

    def list(self, path: str) -> list[str]:
        return self.retry(lambda _: self._inner.list(path))

    def entries(self, path: str) -> tuple[Entry, ...]:
        return self.retry(lambda _: self._inner.entries(path))

    def versions(self, path: str, file: str) -> dict[str, str]:
        return self.retry(lambda _: self._inner.versions(path, file))

    def move(self, source: str, target: str) -> None:
        def attempt(number: int) -> None:
            moved = number > 1 and not self._inner.exists(source) and self._inner.exists(target)
            if not moved:
                self._inner.move(source, target)

        self.retry(attempt)

    def delete(self, path: str) -> None:
        self.retry(lambda _: self._inner.delete(path))

    def free_bytes(self) -> int | None:
        return self.retry(lambda _: self._inner.free_bytes())

    def retry(self, attempt: Callable[[int], T]) -> T:
        """Call with the number of the attempt, from 1, until it succeeds, fails otherwise, or `patience_s` is over."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_transient),
            wait=tenacity.wait_exponential(multiplier=0.1, max=5.0) + tenacity.wait_random(0.0, 0.1),
            stop=tenacity.stop_after_delay(self._patience_s),
            sleep=self._sleep,
            before_sleep=self._warn,
            reraise=True,
        )
        numbers = itertools.count(1)
        return retrying(lambda: attempt(next(numbers)))

    def _holds(self, path: str, data: bytes) -> bool:
        try:
            return self._inner.read(path) == data
        except FileNotFoundError:
            return False

    def _warn(self, state: tenacity.RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            _logger.warning(
                "storage %s cannot be reached (%s); retrying for up to %.0f s",
                self.url,
                state.outcome.exception(),
                self._patience_s,
            )


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in _TRANSIENT
