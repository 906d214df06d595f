"""The command, as a user types it: a generation's speed, and what Ray costs a chain and a further generation.

Each measurement is in processes and a storage of its own.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

from ban_ray.population import Population, open_storage
from ban_ray.runtime.malloc import MALLOC_ENVIRONMENT

HELD_OUT = 0.1
"""Share of the training file that the split of a task of this size may take, generously."""


def as_it_comes() -> dict[str, str]:
    """This process's environment without what `ban_ray` sets for processes that train."""
    return {name: value for name, value in os.environ.items() if name not in MALLOC_ENVIRONMENT}


def run_search(*arguments: str, storage: str) -> float:
    """Seconds of a search; its output is read only where it failed."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "ban_ray.search", *arguments, "--storage", storage],
        capture_output=True,
        text=True,
        check=False,
        env=as_it_comes(),
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return time.perf_counter() - began


def speed(network: str, batch: int, precision: str, data: Path, steps: int, workers: int) -> float:
    """Images per second of a born-again generation's second epoch, by its history."""
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in (("train", int(steps * batch / (1 - 2 * HELD_OUT))), ("test", 64)):
            pq.write_table(pq.read_table(data / f"{name}.parquet").slice(0, rows), f"{folder}/{name}.parquet")
        storage = f"{folder}/runs"
        run_search(
            *("--space", "chain", "--network", network, "--task", "cifar100", "--data", folder),
            *("--batch-size", str(batch), "--precision", precision, "--epochs", "2", "--generations", "1"),
            *("--seeds", "0", "--workers", str(workers)),
            storage=storage,
        )
        population = Population(open_storage(storage))
        taught = [member for member in population if member.generation.teachers]
        return float(population.history(taught[0])[-1]["images_per_second"] or 0)


def overheads() -> tuple[float, float]:
    """Seconds beside the training itself of a further chain, and of a further generation in one."""

    def beside_training(seeds: str, generations: int) -> float:
        with tempfile.TemporaryDirectory() as storage:
            whole = run_search(
                *("--space", "chain", "--network", "densenet-bc-10-4", "--epochs", "1", "--seeds", seeds),
                *("--generations", str(generations), "--concurrent", "1"),
                storage=storage,
            )
            members = Population(open_storage(storage))
            return whole - sum(float(str(member.provenance["seconds"])) for member in members)

    first_s = beside_training("0", 1)
    return (beside_training("0,1,2", 1) - first_s) / 2, (beside_training("0", 9) - first_s) / 8
