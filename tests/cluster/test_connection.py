"""Ray that misses its own deadline on a busy machine."""

import pytest

from ban_ray.cluster.connection import START_ATTEMPTS, _started
from ban_ray.errors import ClusterLost

LATE = "The current node timed out during startup. This could happen because some of the raylet failed to startup"


def failing(times: int, message: str = LATE) -> tuple[list[int], object]:
    calls: list[int] = []

    def init() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise Exception(message)
        return "context"

    return calls, init


def test_it_is_started_again() -> None:
    calls, init = failing(1)
    assert _started(init) == "context"  # type: ignore[arg-type]
    assert len(calls) == 2


def test_one_sentence_where_it_never_starts() -> None:
    calls, init = failing(99)
    with pytest.raises(ClusterLost, match="did not start on this machine"):
        _started(init)  # type: ignore[arg-type]
    assert len(calls) == START_ATTEMPTS


def test_other_errors_are_not_hidden() -> None:
    calls, init = failing(99, "no room for the object store")
    with pytest.raises(Exception, match="no room"):
        _started(init)  # type: ignore[arg-type]
    assert len(calls) == 1
