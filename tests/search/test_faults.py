"""Processes killed at random moments: the search survives or goes on when repeated, to the same bytes."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ban_ray.population import Population, open_storage
from tests.search.conftest import Command, contents, write_space

pytestmark = pytest.mark.ray

KINDS = {"worker": "ray::RayTrainWorker", "driver": "ray::ImplicitFunc", "raylet": "raylet/raylet", "script": ""}


def descendants(root: int) -> Iterator[tuple[int, str]]:
    """Process ids and command lines below a process, so that no other cluster on the machine is touched."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    left = [root]
    while left:
        for child in children.get(left.pop(), []):
            left.append(child)
            try:
                yield child, Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue


def kill(process: "subprocess.Popen[bytes]", kind: str, chance: random.Random) -> bool:
    """Kill one process of a kind with SIGKILL; False where there is none at the moment."""
    found = (
        [process.pid] if kind == "script" else [pid for pid, line in descendants(process.pid) if KINDS[kind] in line]
    )
    if not found:
        return False
    try:
        os.kill(chance.choice(found), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def finish_under_fire(folder: Path, space: str, environment: dict[str, str], kinds: list[str], seed: int) -> None:
    """Repeat the command until it ends by itself, with one kill for each kind on the way."""
    chance, left = random.Random(seed), list(kinds)
    deadline = time.monotonic() + 240 * (1 + len(kinds))
    while time.monotonic() < deadline:
        process = subprocess.Popen(
            [sys.executable, "-m", "ban_ray.search", "--space", space, "--storage", "fire", "--seeds", "0"],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while process.poll() is None and time.monotonic() < deadline:
                training = list((folder / "fire").glob("unfinished/*/*/epoch-*"))
                if left and training:
                    time.sleep(chance.uniform(0, 2))
                    if kill(process, left[0], chance):
                        left.pop(0)
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        if process.wait() == 0:
            assert not left, f"ended before {left} could be killed"
            return
        # Orphans of a killed cluster go on for about a second.
        subprocess.run(["pkill", "-KILL", "-s", str(process.pid)], check=False)
    pytest.fail(f"did not finish; left to kill: {left}")


def check(storage: Path, undisturbed: dict[str, bytes], environment: dict[str, str]) -> None:
    assert contents(storage) == undisturbed
    population = Population(open_storage(str(storage)))
    for name in ("unfinished", "claims"):
        assert population.storage.list(name) == []
    for member in population:
        epochs = [record["epoch"] for record in population.history(member)]
        assert epochs == list(range(1, member.generation.recipe.epochs + 1))


def run(search: Command, tmp_path: Path, environment: dict[str, str], kinds: list[str], seed: int) -> None:
    space = write_space(tmp_path, epochs=40)
    quiet = search("--space", space, "--storage", "quiet", "--seeds", "0")
    assert quiet.status == 0, quiet.err
    finish_under_fire(tmp_path, space, environment, kinds, seed)
    check(tmp_path / "fire", contents(tmp_path / "quiet"), environment)


@pytest.mark.timeout(1200)
def test_three_kills(search: Command, tmp_path: Path, environment: dict[str, str]) -> None:
    run(search, tmp_path, environment, ["worker", "driver", "script"], seed=0)


@pytest.mark.slow
@pytest.mark.timeout(24 * 3600)
def test_a_hundred_kills(search: Command, tmp_path: Path, environment: dict[str, str]) -> None:
    chance = random.Random(1)
    for round_ in range(25):
        kinds = [*KINDS]
        chance.shuffle(kinds)
        folder = tmp_path / str(round_)
        folder.mkdir()
        run(search, folder, environment, kinds, seed=round_)
