"""Processes killed at random moments: the search survives or goes on when repeated, to the same bytes."""

import os
import random
import re
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ban_ray.population import Population, open_storage
from tests.helpers.command import Command, contents, write_space
from tests.helpers.processes import MARK, await_none, descendants, kill_all

pytestmark = pytest.mark.ray

KINDS = {"worker": "ray::RayTrainWorker", "driver": "ray::ChainDriver", "raylet": "raylet/raylet", "script": ""}


def kill(process: "subprocess.Popen[bytes]", kind: str, rng: random.Random) -> bool:
    """Kill one process of a kind with SIGKILL; False where there is none at the moment."""
    candidates = (
        [process.pid] if kind == "script" else [pid for pid, line in descendants(process.pid) if KINDS[kind] in line]
    )
    if not candidates:
        return False
    try:
        os.kill(rng.choice(candidates), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def unfinished(folder: Path) -> dict[str, int]:
    """Newest complete epoch of each unfinished generation, by key."""
    newest: dict[str, int] = {}
    for file in (folder / "fire" / "unfinished").glob("*/*/epoch-*"):
        if match := re.fullmatch(r"epoch-(\d+)-[0-9a-f]+\.\w+", file.name):
            key = file.parts[-3]
            newest[key] = max(newest.get(key, 0), int(match[1]))
    return newest


def finish_under_fire(
    folder: Path, space: str, environment: dict[str, str], kinds: list[str], seed: int
) -> dict[str, set[int]]:
    """Repeat the command until it ends by itself, with one kill for each kind on the way.

    Returns the epochs from which generations had to go on, by key, as they stood when no process was left.
    """
    rng, waiting = random.Random(seed), list(kinds)
    deadline = time.monotonic() + 240 * (1 + len(kinds))
    owed: dict[str, set[int]] = {}
    while time.monotonic() < deadline:
        token = secrets.token_hex(8)
        process = subprocess.Popen(
            [sys.executable, "-m", "ban_ray.search", "--space", space, "--storage", "fire"],
            cwd=folder,
            env={**environment, MARK: token},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while process.poll() is None and time.monotonic() < deadline:
                if waiting and unfinished(folder):
                    time.sleep(rng.uniform(0, 2))
                    if kill(process, waiting[0], rng):
                        waiting.pop(0)
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                kill_all(token)
        if process.wait() == 0:
            assert not waiting, f"ended before {waiting} could be killed"
            await_none(token)
            return owed
        kill_all(token)
        published = set(Population(open_storage(str(folder / "fire"))).keys())
        for key, epoch in unfinished(folder).items():
            if key not in published:
                owed.setdefault(key, set()).add(epoch)
    pytest.fail(f"did not finish; not killed: {waiting}")


def check(storage: Path, undisturbed: Path, owed: dict[str, set[int]]) -> None:
    assert contents(storage) == contents(undisturbed)
    population, quiet = (Population(open_storage(str(folder))) for folder in (storage, undisturbed))
    for name in ("unfinished", "claims"):
        assert population.storage.list(name) == []
    for member in population:
        twin = quiet.get(member.key)
        assert twin is not None
        assert without_times(population.history(member)) == without_times(quiet.history(twin))
        resumed = member.provenance["resumed_after_epochs"]
        assert isinstance(resumed, list) and owed.get(member.key, set()) <= set(resumed)
        assert twin.provenance["resumed_after_epochs"] == []


def without_times(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: record[key] for key in record.keys() - {"seconds", "images_per_second"}} for record in history]


@pytest.fixture
def space(tmp_path: Path) -> str:
    """Four chains of two generations."""
    # Long enough for four kills within the training of one command and its repetitions.
    return write_space(tmp_path, epochs=80)


@pytest.fixture
def quiet(search: Command, tmp_path: Path, space: str) -> Path:
    """The storage of an undisturbed run, of one chain after the other."""
    run = search("--space", space, "--storage", "quiet", "--concurrent", "1")
    assert run.status == 0, run.err
    return tmp_path / "quiet"


@pytest.mark.timeout(1200)
def test_three_kills(tmp_path: Path, space: str, quiet: Path, environment: dict[str, str]) -> None:
    owed = finish_under_fire(tmp_path, space, environment, ["worker", "driver", "script"], seed=0)
    check(tmp_path / "fire", quiet, owed)


@pytest.mark.slow
@pytest.mark.timeout(24 * 3600)
def test_a_hundred_kills(tmp_path: Path, space: str, quiet: Path, environment: dict[str, str]) -> None:
    rng = random.Random(1)
    for round_ in range(25):
        kinds = [*KINDS]
        rng.shuffle(kinds)
        folder = tmp_path / str(round_)
        folder.mkdir()
        owed = finish_under_fire(folder, space, environment, kinds, seed=round_)
        check(folder / "fire", quiet, owed)
        resumed = {key[:8]: sorted(epochs) for key, epochs in owed.items()}
        print(f"round {round_ + 1}: killed {', '.join(kinds)}; resumed from epochs {resumed}", flush=True)
