"""Starts: ``python -m tests.benchmarks.starts [--other TREE] [--rounds N]``.

The README's first search and its first training step, with the processor time of each process until then; with another
checkout of this project, both in turns. Ratios are printed as they come.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers.processes import descendants

HERE = Path(__file__).parents[2]
SAMPLE_S = 0.05
TICKS = os.sysconf("SC_CLK_TCK")
SEARCH = ("--space", "densenet_grid")


@dataclass
class Start:
    """One search as seen from outside.

    Attributes:
        first_claim_s: seconds until a worker has claimed its first generation: it trains when its data are loaded.
        seconds: of the whole command.
        workers: processes of Ray Train that trained.
        processors: seconds of processor time until the first claim, by kind of process.
        first_seen: seconds until the first process of each kind was there.
    """

    first_claim_s: float = 0.0
    seconds: float = 0.0
    workers: int = 0
    processors: dict[str, float] = field(default_factory=dict)
    first_seen: dict[str, float] = field(default_factory=dict)


def observe(tree: Path, *arguments: str) -> Start:
    """Run a search of the code in a tree, and look at its processes."""
    start, seen = Start(), set()
    with tempfile.TemporaryDirectory() as storage:
        environment = {**os.environ, "PYTHONPATH": str(tree)}
        command = [sys.executable, "-m", "ban_ray.search", *SEARCH, *arguments, "--storage", storage]
        began = time.monotonic()
        process = subprocess.Popen(
            command, cwd=storage, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None:
            lines = [(process.pid, "command"), *descendants(process.pid)]
            seen |= {pid for pid, line in lines if "RayTrainWorker" in line}
            if not start.first_claim_s:
                processors: dict[str, float] = defaultdict(float)
                for pid, line in lines:
                    processors[kind(line)] += processor_s(pid)
                    start.first_seen.setdefault(kind(line), time.monotonic() - began)
                start.processors = dict(processors)
                if any(Path(storage).glob("claims/*/*.json")):
                    start.first_claim_s = time.monotonic() - began
            time.sleep(SAMPLE_S)
        start.seconds = time.monotonic() - began
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} failed")
    start.workers = len(seen)
    return start


def kind(line: str) -> str:
    """A short name of a process by its command line."""
    if "ray::" in line:
        return line.split("ray::")[1].split()[0].split(".")[0].split("(")[0]
    words = [word for word in line.replace("/", " ").split() if not word.startswith("-")]
    known = ("gcs_server", "raylet", "dashboard.py", "agent", "log_monitor.py", "forkserver", "command", "monitor.py")
    return next((name for name in known if any(name in word for word in words)), "other")


def processor_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--other", type=Path, help="another checkout, the code before")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("arguments", nargs="*", help="options of the search, after --")
    options = parser.parse_args()
    trees = {"here": HERE} | ({"other": options.other} if options.other else {})
    ratios = []
    for number in range(options.rounds):
        starts = {}
        # Turns both ways: a machine that gets slower favours neither.
        for name in sorted(trees, reverse=bool(number % 2)):
            starts[name] = start = observe(trees[name], *options.arguments)
            print(
                f"{name}: {start.seconds:.1f} s, first generation claimed after {start.first_claim_s:.1f} s, "
                f"{start.workers} workers",
                flush=True,
            )
            profile = sorted(start.processors.items(), key=lambda item: -item[1])
            print(
                "  processor time until then, and when it was first seen: "
                + ", ".join(f"{k} {s:.1f} s from {start.first_seen[k]:.1f}" for k, s in profile if s >= 0.1)
            )
        if "other" in starts:
            ratios.append(starts["here"].seconds / starts["other"].seconds)
            print(f"ratio {ratios[-1]:.2f}, median {statistics.median(ratios):.2f} of {len(ratios)}", flush=True)


if __name__ == "__main__":
    main()
