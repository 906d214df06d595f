"""Training side by side: the bare computation, ours, ours by the command, loops of others; with shared teachers or not.

    python -m tests.benchmarks.loop DIR [--network NAME] [--rounds 5] [--steps 10] [--no-ray] [--only NAME,NAME]
        [--kd-lib PYTHON] [--torchdistill PYTHON]

DIR holds train.parquet and test.parquet of CIFAR-100 images. DenseNet-BC-40-12 unless another is named, batch 64, one
thread a worker, processes that keep the memory they freed as `ban_ray`'s do (`ban_ray/memory.py`). Variants take turns
within each round, in every second one from the last to the first; printed are medians of the rounds, and ratios within
a round. `--only` measures some of them, and nothing else, for more rounds or steps.

- bare: teacher forward, student forward and backward, update, on one fixed batch in the same memory format.
- ours: `ban_ray.training.train` of a student and its teacher, with augmentation, normalisation, meters.
- by the command: the same by `python -m ban_ray.search`; its images per second of the second epoch. Two workers: of 32
  images each.
- label-only: ours without a teacher.
- first student, further student: ours by a recipe of cached teacher outputs; the first one keeps them, and a further
  one of this augmentation finds them.
- kd-lib, torchdistill: in environments of their own, as they come, so they give freed memory back; see
  `tests/benchmarks/peers.py`.
- tutorial's loop: DataLoader in this process, PIL crops and flips, NCHW, no grouping of updates.
- population: see `tests/benchmarks/shared_teachers.py`; with `--no-ray` left out like all that runs the command.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from ban_ray.runtime.malloc import MALLOC_ENVIRONMENT
from tests.benchmarks import shared_teachers, under_ray
from tests.benchmarks.variants import BATCH, Bench, Speed, load, pipeline

BOTH, FP32 = ("fp32", "bf16"), ("fp32",)
SAME = (("fp32", "fp32"), ("bf16", "bf16"))
PEERS = (("fp32", "fp32"), ("bf16", "fp32"))
RATIOS = (
    ("ours", "bare", SAME),
    ("by the command", "ours", SAME),
    ("by two workers", "by the command", SAME),
    ("label-only", "first student", SAME),
    ("label-only", "further student", SAME),
    ("further student", "ours", SAME),
    ("label-only", "ours", SAME),
    ("ours", "tutorial's loop", (*PEERS, ("bf16", "bf16"))),
    ("ours", "kd-lib", PEERS),
    ("ours", "torchdistill", PEERS),
    ("further student", "torchdistill", PEERS),
    ("by the command", "kd-lib", PEERS),
    ("by the command", "torchdistill", PEERS),
)
"""How many times as fast; of label-only training beside a student's, how many times as long the student takes."""


Variants = dict[str, tuple[Speed, tuple[str, ...], bool]]
"""How fast each is, at which precisions, and whether it runs in a process of its own."""


def measured(variants: Variants, rounds: int) -> dict[tuple[str, str], list[float]]:
    """Images per second of each variant and precision in each round."""
    speeds: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds + 1):
        turn = list(variants.items())
        for name, (variant, precisions, apart) in reversed(turn) if number % 2 else turn:
            for precision in precisions:
                # The first round warms this process up; others warm up themselves.
                if number or not apart:
                    speed = variant(precision)
                    if number:
                        speeds.setdefault((name, precision), []).append(speed)
    return speeds


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--network", default="densenet-bc-40-12")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--kd-lib", metavar="PYTHON")
    parser.add_argument("--torchdistill", metavar="PYTHON")
    parser.add_argument("--no-ray", action="store_true")
    parser.add_argument("--only", metavar="NAME,NAME", type=lambda text: text.split(","))
    choice = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in MALLOC_ENVIRONMENT.items()):
        # Read by the C library when a process starts.
        os.execve(
            sys.executable, [sys.executable, "-m", __spec__.name, *sys.argv[1:]], {**os.environ, **MALLOC_ENVIRONMENT}
        )
    torch.set_num_threads(1)
    data = load(choice.data)
    bench = Bench(choice.network, data, choice.data, choice.steps)
    variants: Variants = {
        "bare": (bench.bare, BOTH, False),
        "ours": (bench.ours, BOTH, False),
        "label-only": (bench.label_only, BOTH, False),
        "first student": (bench.first, BOTH, False),
        "further student": (bench.further, BOTH, False),
        "tutorial's loop": (bench.hand_written, BOTH, False),
    }
    if not choice.no_ray:
        variants["by the command"] = (bench.by_the_command, BOTH, True)
        variants["by two workers"] = (bench.by_two_workers, BOTH, True)
    for name, python in (("kd-lib", choice.kd_lib), ("torchdistill", choice.torchdistill)):
        if python:
            variants[name] = (bench.peer(name, python), FP32, True)
    if choice.only:
        if unknown := set(choice.only) - variants.keys():
            parser.error(f"--only {','.join(sorted(unknown))}: here are {', '.join(variants)}")
        variants = {name: variant for name, variant in variants.items() if name in choice.only}
    speeds = measured(variants, choice.rounds)

    print(
        f"{choice.network}, batch {BATCH}, {choice.rounds} rounds of {choice.steps} steps, one thread, "
        f"torch {torch.__version__}"
    )
    for (name, precision), values in speeds.items():
        print(f"{precision}  {name:<15} {statistics.median(values):8.1f} images/s")
    for over, under, compared in RATIOS:
        for first, second in compared:
            if (over, first) in speeds and (under, second) in speeds:
                pairs = [a / b for a, b in zip(speeds[over, first], speeds[under, second], strict=True)]
                print(f"{over} {first} / {under} {second}: {spread(pairs)}")
    if choice.only:
        return
    shares = ", ".join(f"{100 * share:.0f} %" for share in sorted(set(bench.found)))
    print(f"shares of the outputs that students found kept: {shares}")
    print(f"input pipeline alone: {pipeline(data, 100):.0f} images/s", flush=True)
    if not choice.no_ray:
        chain, more = zip(*(under_ray.overheads() for _ in range(choice.rounds)), strict=True)
        print(
            f"Ray's seconds beside training: {spread(chain)} for a further chain, {spread(more)} for a further "
            "generation",
            flush=True,
        )
        rounds = [shared_teachers.seconds(seed) for seed in range(choice.rounds)]
        print(
            "match_densenet, seconds without the population over those with it: "
            f"{spread([seconds.saved for seconds in rounds])}, "
            f"of training alone {spread([seconds.training_saved for seconds in rounds])}; "
            f"{statistics.median(seconds.shared for seconds in rounds):.0f} s with it"
        )


if __name__ == "__main__":
    main()
