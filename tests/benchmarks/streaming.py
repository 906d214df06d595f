"""Training on images that are read as they are needed, against the same images in memory.

    python -m tests.benchmarks.streaming [--images 4000] [--networks NAME,NAME] [--steps 20] [--rounds 5]

Images of 224 pixels are made, decoded into a cache of their own, and trained on by `ban_ray.training.train`, batch 64,
one thread. The variants take turns within each round, in every second one from the last to the first; printed are each
round's images per second and ratios to the images in memory, then medians with their range.

- held: the set lies in memory.
- streamed: it is read from the disk, of which the system may have all in its page cache.
- streamed, cold: its pages are dropped from that cache before each round, so that the disk is read.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import torch

from ban_ray.specs import Generation
from ban_ray.tasks.image_data import ImageData, load_images
from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from ban_ray.training import train
from tests.benchmarks.loop import spread
from tests.training.larger_than_memory import CPU, generation_of, write_set

WARM_UP = 2


class _EnoughError(Exception):
    """So many steps are timed."""


def images_per_second(generation: Generation, data: ImageData, steps: int) -> float:
    """Of `steps` steps after the first ones."""
    began: list[float] = []

    def before_step() -> None:
        began.append(time.perf_counter())
        if len(began) > WARM_UP + steps:
            raise _EnoughError

    try:
        train(generation, None, data, CPU, before_step=before_step)
    except _EnoughError:
        return steps * generation.recipe.batch_size / (began[-1] - began[WARM_UP])
    raise ValueError(f"an epoch has fewer than {WARM_UP + steps + 1} steps")


def drop_pages(file: Path) -> None:
    """Let the system forget what it has of a file."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def processor() -> str:
    """The model's name where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--networks", default="tests.training.own_networks:strided,densenet-bc-10-4")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    choice = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BAN_RAY_CACHE"] = str(Path(folder) / "cache")
        write_set(Path(folder) / "data", {"train": choice.images, "test": 100})
        began = time.perf_counter()
        dataset = open_source(Source.of("folder", str(Path(folder) / "data")))
        assert isinstance(dataset, ImageDataset)
        rate = choice.images / (time.perf_counter() - began)
        print(f"{processor()}, {os.cpu_count()} processors, torch {torch.__version__}; decoding {rate:.0f} images/s")
        task = generation_of(dataset).task
        held, streamed = (load_images(task, dataset, CPU, held=each) for each in (True, False))
        for network in choice.networks.split(","):
            generation = generation_of(dataset).model_copy(
                update={"network": network, "network_version": "1" if ":" in network else ""}
            )
            speeds: dict[str, list[float]] = {"held": [], "streamed": [], "streamed, cold": []}
            for number in range(choice.rounds):
                for name in reversed(speeds) if number % 2 else speeds:
                    if name == "streamed, cold":
                        assert dataset.train.file is not None
                        drop_pages(dataset.train.file)
                    data = held if name == "held" else streamed
                    speeds[name].append(images_per_second(generation, data, choice.steps))
                now = ", ".join(f"{name} {values[-1]:.0f}" for name, values in speeds.items())
                ratios = " and ".join(f"{speeds[name][-1] / speeds['held'][-1]:.2f}" for name in [*speeds][1:])
                print(f"{network}, round {number + 1}: {now} images/s; {ratios} of held", flush=True)
            for name in [*speeds][1:]:
                pairs = [a / b for a, b in zip(speeds[name], speeds["held"], strict=True)]
                print(
                    f"{network}: {name} / held {spread(pairs)}, held {statistics.median(speeds['held']):.0f} images/s"
                )


if __name__ == "__main__":
    main()
