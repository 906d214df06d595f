"""Claims: one holder, renewed while it lives, taken over when it stands still, free at once when it is dead."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ban_ray.population import Population, claims
from ban_ray.storage.base import Storage

KEY = "1" * 64
REPOSITORY = Path(__file__).parents[2]
ELSEWHERE = {"host": "elsewhere", "boot": "other", "pid": 1, "started": "1"}


@pytest.fixture
def storage(population: Population) -> Storage:
    return population.storage


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "RENEW_S", 0.05)
    monkeypatch.setattr(claims, "STALE_S", 0.6)


def held(storage: Storage, run: str = "mine") -> claims.Claim:
    claim = claims.acquire(storage, KEY, run)
    assert claim is not None
    return claim


def write(storage: Storage, number: int = 1, **fields: object) -> None:
    record = {"run": "theirs", "owner": ELSEWHERE, "counter": 0, "released": False, **fields}
    storage.write(f"claims/{KEY}/{number:06d}.json", json.dumps(record).encode())


def never() -> bool:
    return False


def test_one_holder(storage: Storage) -> None:
    assert claims.current(storage, KEY) == (0, None)
    claim = held(storage)
    assert claims.acquire(storage, KEY, "theirs") is None
    assert claims.current(storage, KEY)[0] == 1
    other = claims.acquire(storage, "2" * 64, "theirs")
    assert other is not None, "another generation is free"
    claim.end()
    other.end()


def test_one_holder_among_threads(storage: Storage) -> None:
    for _ in range(5):
        barrier = threading.Barrier(8)
        got: list[claims.Claim | None] = []

        def run(number: int, barrier: threading.Barrier = barrier, got: list[claims.Claim | None] = got) -> None:
            barrier.wait()
            got.append(claims.acquire(storage, KEY, f"run {number}"))

        threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [claim for claim in got if claim is not None]
        assert len(got) == 8
        assert len(winners) == 1
        winners[0].end()


def test_one_taker_over_among_threads(storage: Storage) -> None:
    write(storage, 4)
    barrier = threading.Barrier(8)
    got: list[claims.Claim | None] = []

    def run(number: int) -> None:
        barrier.wait()
        got.append(claims.acquire(storage, KEY, f"run {number}", expired=4))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [claim for claim in got if claim is not None]
    assert len(winners) == 1
    assert claims.current(storage, KEY)[0] == 5
    winners[0].end()


def test_a_holder_renews_until_it_ends(storage: Storage) -> None:
    claim = held(storage)
    counters: set[object] = set()
    until = time.monotonic() + 10
    while len(counters) < 3 and time.monotonic() < until:
        record = claims.current(storage, KEY)[1]
        assert record is not None
        counters.add(record["counter"])
        time.sleep(0.02)
    assert len(counters) >= 3
    claim.end()
    time.sleep(0.15)
    assert claims.current(storage, KEY) == (0, None), "no renewal brings it back"


def test_a_released_claim_is_free_at_once(storage: Storage) -> None:
    claim = held(storage)
    claim.release()
    number, record = claims.current(storage, KEY)
    assert record is not None
    assert record["released"] is True
    began = time.monotonic()
    assert claims.wait(storage, KEY, never, poll_s=0.01) == 0
    assert time.monotonic() - began < 0.5
    again = claims.acquire(storage, KEY, "theirs")
    assert again is not None
    assert claims.current(storage, KEY)[0] == number + 1
    again.end()


def test_a_runs_own_claim_does_not_stand_in_its_way(storage: Storage) -> None:
    """After the restart of its processes."""
    write(storage, run="mine")
    assert claims.acquire(storage, KEY, "theirs") is None
    claim = held(storage)
    assert claims.current(storage, KEY)[0] == 2
    claim.end()


def test_the_end_forgets_every_claim_of_its_key(storage: Storage) -> None:
    write(storage, 1)
    write(storage, 2)
    storage.write(f"claims/{'2' * 64}/000001.json", b"{}")
    claim = claims.acquire(storage, KEY, "mine", expired=2)
    assert claim is not None
    claim.end()
    assert storage.list("claims") == ["2" * 64]


def test_taking_over_counts_on(storage: Storage) -> None:
    write(storage, 7)
    assert claims.acquire(storage, KEY, "mine") is None
    assert claims.acquire(storage, KEY, "mine", expired=6) is None, "what stood still was another one"
    claim = claims.acquire(storage, KEY, "mine", expired=7)
    assert claim is not None
    assert claims.current(storage, KEY)[0] == 8
    assert claims.acquire(storage, KEY, "third", expired=7) is None, "too late: it has been taken over"
    claim.end()


def test_numbers_are_numbers(storage: Storage) -> None:
    write(storage, 9)
    write(storage, 10)
    write(storage, 999_999)
    assert claims.current(storage, KEY)[0] == 999_999


def test_who_was_taken_over_does_not_free_the_new_holder(storage: Storage) -> None:
    slow = held(storage, "slow")
    taker = claims.acquire(storage, KEY, "taker", expired=1)
    assert taker is not None
    slow.release()
    assert claims.acquire(storage, KEY, "third") is None
    assert claims.current(storage, KEY)[0] == 2
    taker.end()


def test_a_claim_that_stands_still_is_found(storage: Storage) -> None:
    write(storage, 3)
    began = time.monotonic()
    assert claims.wait(storage, KEY, never, poll_s=0.02) == 3
    assert 0.6 <= time.monotonic() - began < 5


def test_a_claim_that_moves_is_waited_for(storage: Storage) -> None:
    """For longer than a still one, whatever the clock on the wall or the file's own time say."""
    claim = held(storage)
    file = Path(storage.url) / claim.path
    began = time.monotonic()

    def done() -> bool:
        if file.exists():
            os.utime(file, (0, 0))
        return time.monotonic() - began > 1.5

    assert claims.wait(storage, KEY, done, poll_s=0.02) == 0
    assert time.monotonic() - began > 1.5
    claim.end()


def test_the_clock_on_the_wall_does_not_matter(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be set, and those of two hosts never agree."""
    write(storage)
    ticking = iter(range(0, 10**9, 1_000_000))
    monkeypatch.setattr(time, "time", lambda: float(next(ticking)))
    looked = 0

    def done() -> bool:
        nonlocal looked
        looked += 1
        return looked > 5

    assert claims.wait(storage, KEY, done, poll_s=0.01) == 0, "an hour on the wall is no time here"


def test_waiting_ends_when_the_work_is_done(storage: Storage) -> None:
    claim = held(storage)
    began = time.monotonic()
    assert claims.wait(storage, KEY, lambda: time.monotonic() - began > 0.1, poll_s=0.01) == 0
    claim.end()
    assert claims.wait(storage, KEY, never, poll_s=0.01) == 0, "nobody holds it any more"


def test_a_change_of_holder_starts_the_watch_anew(storage: Storage) -> None:
    write(storage, 1)
    began = time.monotonic()
    turns = iter(range(2, 10**6))

    def done() -> bool:
        if time.monotonic() - began < 1.2:
            write(storage, 1, counter=next(turns))
            return False
        return True

    assert claims.wait(storage, KEY, done, poll_s=0.02) == 0


CLAIM = """
import sys, time
from pathlib import Path
from ban_ray.population import claims
from ban_ray.storage.local import LocalStorage

claims.RENEW_S = 1000
claim = claims.acquire(LocalStorage(Path(sys.argv[1])), sys.argv[2], "theirs")
print(claim is not None, flush=True)
time.sleep(1000)
"""


@pytest.fixture
def other_process(storage: Storage) -> Iterator[subprocess.Popen[str]]:
    """A live process that holds the claim."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLAIM, storage.url, KEY],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells of processes here")
def test_a_dead_process_is_found_at_once(
    storage: Storage, other_process: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "STALE_S", 1000)
    assert claims.acquire(storage, KEY, "mine") is None, "it lives"
    other_process.send_signal(signal.SIGKILL)
    other_process.wait()
    assert claims.wait(storage, KEY, never, poll_s=0.01) == 1
    claim = held(storage)
    assert claims.current(storage, KEY)[0] == 2
    claim.end()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells of processes here")
def test_a_dead_process_that_nobody_has_reaped_is_found_at_once(
    storage: Storage, other_process: subprocess.Popen[str]
) -> None:
    """A zombie still has its entry: its parent may be busy, or stopped."""
    os.kill(other_process.pid, signal.SIGKILL)
    until = time.monotonic() + 10
    while Path(f"/proc/{other_process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < until
        time.sleep(0.01)
    claim = claims.acquire(storage, KEY, "mine")
    assert claim is not None
    claim.end()


def test_another_process_with_the_same_number_is_another_process(storage: Storage) -> None:
    here = claims.process_identity()
    write(storage, owner={**here, "started": "12345"})
    claim = claims.acquire(storage, KEY, "mine")
    assert claim is not None, "the number was used again since"
    claim.end()
    write(storage, owner=here)
    assert claims.acquire(storage, KEY, "mine") is None, "this very process"


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"boot": "another"}])
def test_of_other_hosts_and_boots_nothing_is_known(storage: Storage, change: dict[str, str]) -> None:
    """A pid that is free here says nothing about theirs."""
    write(storage, owner={**claims.process_identity(), "pid": 2**22 + 1, "started": "1", **change})
    assert claims.acquire(storage, KEY, "mine") is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"1",
        b'"text"',
        b"\xff",
        b"{",
        b"{}",
        b'{"owner": null}',
        b'{"owner": {"pid": "x"}}',
        b'{"counter": {}}',
        b"1" * 5000,
    ],
)
def test_a_damaged_claim_holds_until_it_is_stale(
    storage: Storage, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "STALE_S", 0.25)
    storage.write(f"claims/{KEY}/000002.json", data)
    assert claims.acquire(storage, KEY, "mine") is None
    assert claims.wait(storage, KEY, never, poll_s=0.02) == 2
    claim = claims.acquire(storage, KEY, "mine", expired=2)
    assert claim is not None
    claim.end()


@pytest.mark.parametrize("data", [b'{"owner": "x"}', b'{"owner": [1]}', b"[" * 100_000], ids=["text", "list", "deep"])
def test_a_hostile_claim_is_a_claim(storage: Storage, data: bytes) -> None:
    storage.write(f"claims/{KEY}/000002.json", data)
    assert claims.acquire(storage, KEY, "mine") is None


def test_claims_of_stopped_runs_are_released(storage: Storage) -> None:
    keys = [number * 64 for number in "345"]
    for key, run in zip(keys, ("a-1", "a-2", "b-1"), strict=True):
        record = {"run": run, "owner": ELSEWHERE, "counter": 3, "released": False}
        storage.write(f"claims/{key}/000002.json", json.dumps(record).encode())
    assert claims.release_held_by(storage, [*keys, "6" * 64], lambda holder: holder.startswith("a-")) == 2
    held_by = [claims.current(storage, key) for key in keys]
    assert [number for number, _ in held_by] == [2, 2, 2]
    assert [record is not None and record["released"] for _, record in held_by] == [True, True, False]
    assert claims.release_held_by(storage, keys, lambda holder: holder.startswith("a-")) == 0, "once is enough"


def test_a_renewal_that_fails_does_not_end_the_training(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = held(storage)
    failing = threading.Event()

    def full(*_: object) -> None:
        failing.set()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(type(storage), "write", full)
        assert failing.wait(10)
    before = claims.current(storage, KEY)[1]
    until = time.monotonic() + 10
    while claims.current(storage, KEY)[1] == before:
        assert time.monotonic() < until, "it goes on once there is space again"
        time.sleep(0.02)
    claim.end()


def test_a_dying_worker_does_not_take_back_what_its_search_released(storage: Storage) -> None:
    """Orphans of a search that was ended go on for a second, and would renew what has just been released."""
    claim = held(storage)
    deadline = time.monotonic() + 10
    while (claims.current(storage, KEY)[1] or {}).get("counter", 0) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert claims.release_held_by(storage, [KEY], lambda _: True) == 1
    time.sleep(0.5)
    number, record = claims.current(storage, KEY)
    assert record is not None
    assert record["released"] is True
    claim.end()
    assert number == 1
