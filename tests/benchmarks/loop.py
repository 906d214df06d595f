"""The training loop beside the bare computation and a hand-written loop: a born-again generation, teacher online.

    python -m tests.benchmarks.loop DIR [--network NAME] [--rounds 5] [--steps 10] [--no-ray]
        [--kd-lib PYTHON] [--torchdistill PYTHON]

DIR holds train.parquet and test.parquet of CIFAR-100 images. DenseNet-BC-40-12 unless another is named, batch 64, one
thread. Variants take turns within each round; printed are medians of the rounds, and ratios within a round.

- bare: teacher forward, student forward and backward, update, on one fixed batch in the same memory format.
- ours: `ban_ray.training.train`, with augmentation, normalisation, meters.
- ours under Ray: the same by `python -m ban_ray.search`, one worker; its images per second of the second epoch. Its
  process keeps the memory that it freed (`ban_ray/memory.py`), which this one does not.
- label-only: ours without a teacher.
- further student: ours by a recipe of cached teacher outputs, all of which another student has asked for before.
- kd-lib, torchdistill: in environments of their own, see `tests/benchmarks/peers.py`.
- hand-written: what a tutorial does: DataLoader in this process, PIL crops and flips, NCHW, no grouping of updates.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from ban_ray.networks import build
from ban_ray.shared_rows import SharedRows, bytes_needed
from ban_ray.specs import Generation, Objective, Recipe, Task
from ban_ray.tasks.decoded import Decoded
from ban_ray.tasks.images import ImageData, ImageSet, draw, load_images
from ban_ray.tasks.load import open_source
from ban_ray.tasks.source import Source
from ban_ray.training import Teacher, train
from ban_ray.training.placement import to_device
from tests.benchmarks import under_ray

SAME = (("fp32", "fp32"), ("bf16", "bf16"))
PEERS = (("fp32", "fp32"), ("bf16", "fp32"))
RATIOS = (
    ("ours", "bare", SAME),
    ("ours under Ray", "ours", SAME),
    ("label-only", "further student", SAME),
    ("label-only", "ours", SAME),
    ("ours", "hand-written", (*PEERS, ("bf16", "bf16"))),
    ("ours", "kd-lib", PEERS),
    ("ours", "torchdistill", PEERS),
    ("ours under Ray", "kd-lib", PEERS),
    ("ours under Ray", "torchdistill", PEERS),
)
"""How many times as fast; of label-only training beside a student's, how many times as long the student takes."""

NETWORK, BATCH, CLASSES = "densenet-bc-40-12", 64, 100
CPU = torch.device("cpu")


Speed = Callable[[str], float]
"""Images per second at a precision."""


def load(folder: Path) -> ImageData:
    decoded = open_source(Source.of("cifar100", str(folder)))
    assert isinstance(decoded, Decoded)
    return load_images(Task(name="cifar100", fingerprint=decoded.fingerprint), decoded, CPU)


def network(name: str, channels_last: bool) -> nn.Module:
    module = build(name, CLASSES)
    return to_device(module, CPU) if channels_last else module


def distilled(logits: Tensor, labels: Tensor, teacher: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels) - (teacher.softmax(1) * F.log_softmax(logits, 1)).sum(1).mean()


def autocast(precision: str) -> torch.autocast:
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16")


@dataclass(frozen=True)
class Bench:
    """What all variants train: a network, images, and so many steps."""

    name: str
    data: ImageData
    folder: Path
    steps: int

    def bare(self, precision: str) -> float:
        """The computation alone."""
        student, teacher = network(self.name, True), network(self.name, True).eval()
        optimiser = torch.optim.SGD(student.parameters(), 0.1, 0.9, nesterov=True, weight_decay=5e-4, foreach=True)
        images = self.data.normalise(self.data.train.images[:BATCH])
        labels = self.data.train.labels[:BATCH]
        began = time.perf_counter()
        for _ in range(self.steps):
            with autocast(precision):
                with torch.no_grad():
                    dark = teacher(images).float()
                logits = student(images).float()
            loss = distilled(logits, labels, dark)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        return self.steps * BATCH / (time.perf_counter() - began)

    def ours(self, precision: str) -> float:
        return self._trained(precision, "ban+l")

    def label_only(self, precision: str) -> float:
        return self._trained(precision, "label")

    def further(self, precision: str) -> float:
        """A student whose teacher's outputs another one has asked for."""
        small = self._small()
        limit = bytes_needed(small.views, len(small.train), CLASSES)
        with (
            tempfile.TemporaryDirectory() as folder,
            SharedRows("teacher", small.views, CLASSES, limit, Path(folder)) as rows,
        ):
            self._trained(precision, "ban", rows)
            return self._trained(precision, "ban+l", rows)

    def under_ray(self, precision: str) -> float:
        return under_ray.speed(self.name, BATCH, precision, self.folder, self.steps)

    def hand_written(self, precision: str) -> float:
        """The usual loop."""
        loader = DataLoader(Pictures(self.data, self.steps * BATCH), BATCH, shuffle=True, drop_last=True)
        student, teacher = network(self.name, False), network(self.name, False).eval()
        optimiser = torch.optim.SGD(student.parameters(), 0.1, 0.9, nesterov=True, weight_decay=5e-4, foreach=False)
        student.train()
        began = time.perf_counter()
        for images, labels in loader:
            with autocast(precision):
                with torch.no_grad():
                    dark = teacher(images).float()
                logits = student(images).float()
            loss = distilled(logits, labels, dark)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            loss.item()
        return self.steps * BATCH / (time.perf_counter() - began)

    def peer(self, name: str, python: str) -> Speed:
        """A peer in an environment of its own; see `tests/benchmarks/peers.py`."""

        def speed(_: str) -> float:
            command = [python, "-m", "tests.benchmarks.peers", name, str(self.folder), self.name, str(self.steps)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(done.stderr)
            return float(done.stdout.split()[-1])

        return speed

    def _small(self) -> ImageData:
        count = self.steps * BATCH
        part = ImageSet(self.data.train.images[:count], self.data.train.labels[:count])
        nothing = ImageSet(self.data.test.images[:1], self.data.test.labels[:1])
        return replace(self.data, train=part, held_out=nothing, test=nothing)

    def _trained(self, precision: str, objective: str, rows: SharedRows | None = None) -> float:
        """An epoch by `ban_ray.training.train`."""
        taught = objective != "label"
        generation = Generation(
            task=Task(name="cifar100", fingerprint="0" * 64),
            network=self.name,
            recipe=Recipe(
                epochs=1,
                batch_size=BATCH,
                precision=precision,
                teacher_outputs="online" if rows is None else "cached",
            ),
            objective=Objective(name=objective),
            seed=0,
            teachers=("0" * 64,) if taught else (),
        )
        teacher = Teacher([network(self.name, True)]) if taught else None
        history = train(generation, teacher, self._small(), CPU, rows=rows).history
        return float(history[0]["images_per_second"] or 0)


class Pictures(Dataset[tuple[Tensor, int]]):
    """PIL images with the usual transforms."""

    def __init__(self, data: ImageData, count: int) -> None:
        self.images = [Image.fromarray(image) for image in data.train.images[:count].numpy()]
        self.labels = data.train.labels[:count].tolist()
        mean, deviation = (-data.shift / data.scale / 255).flatten(), (1 / data.scale / 255).flatten()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4, padding_mode="reflect"),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(mean.tolist(), deviation.tolist()),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


def pipeline(data: ImageData, steps: int) -> float:
    """Images per second of our input pipeline alone."""
    order = torch.randperm(len(data.train))
    began = time.perf_counter()
    for step in range(steps):
        batch = order[step * BATCH : (step + 1) * BATCH]
        data.training_batch(batch, draw(0, 0, step, BATCH, data.pad, data.flip))
    return steps * BATCH / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--network", default=NETWORK)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--kd-lib", metavar="PYTHON")
    parser.add_argument("--torchdistill", metavar="PYTHON")
    parser.add_argument("--no-ray", action="store_true")
    choice = parser.parse_args()
    torch.set_num_threads(1)
    data = load(choice.data)
    bench = Bench(choice.network, data, choice.data, choice.steps)
    both, fp32 = ("fp32", "bf16"), ("fp32",)
    variants: dict[str, tuple[Speed, tuple[str, ...]]] = {
        "bare": (bench.bare, both),
        "ours": (bench.ours, both),
        "label-only": (bench.label_only, both),
        "further student": (bench.further, both),
        "hand-written": (bench.hand_written, both),
    }
    if not choice.no_ray:
        variants["ours under Ray"] = (bench.under_ray, both)
    for name, python in (("kd-lib", choice.kd_lib), ("torchdistill", choice.torchdistill)):
        if python:
            variants[name] = (bench.peer(name, python), fp32)
    speeds: dict[tuple[str, str], list[float]] = {}
    for number in range(choice.rounds + 1):
        for name, (variant, precisions) in variants.items():
            for precision in precisions:
                apart = variant == bench.under_ray or name in ("kd-lib", "torchdistill")
                # The first round warms this process up; others warm up themselves.
                if number or not apart:
                    speed = variant(precision)
                    if number:
                        speeds.setdefault((name, precision), []).append(speed)

    print(
        f"{choice.network}, batch {BATCH}, {choice.rounds} rounds of {choice.steps} steps, one thread, "
        f"torch {torch.__version__}"
    )
    for (name, precision), values in speeds.items():
        print(f"{precision}  {name:<15} {statistics.median(values):8.1f} images/s")
    for over, under, compared in RATIOS:
        for one, other in compared:
            if (over, one) in speeds and (under, other) in speeds:
                pairs = [a / b for a, b in zip(speeds[over, one], speeds[under, other], strict=True)]
                spread = f"{statistics.median(pairs):.2f} [{min(pairs):.2f}, {max(pairs):.2f}]"
                print(f"{over} {one} / {under} {other}: {spread}")
    if not choice.no_ray:
        chain, more = under_ray.overheads()
        print(f"Ray's seconds beside training: {chain:.1f} for a further chain, {more:.2f} for a further generation")
    print(f"input pipeline alone: {pipeline(data, 100):.0f} images/s")


if __name__ == "__main__":
    main()
