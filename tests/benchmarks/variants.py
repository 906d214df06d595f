"""Variants that `tests/benchmarks/loop.py` measures: a generation's training in several ways, in images per second."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ban_ray.networks import build
from ban_ray.specs import Generation, Objective, Recipe, Task
from ban_ray.tasks.image_data import ImageData, ImagePart, load_images, sample_crop_flip
from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from ban_ray.training import Teacher, train
from ban_ray.training.precision import to_device
from ban_ray.training.teacher_cache.shared_memory import SharedMemoryTable, bytes_needed
from tests.benchmarks import under_ray
from tests.benchmarks.pictures import Pictures

BATCH, CLASSES = 64, 100
CPU = torch.device("cpu")


Speed = Callable[[str], float]
"""Images per second at a precision."""


def load(folder: Path) -> ImageData:
    decoded = open_source(Source.of("cifar100", str(folder)))
    assert isinstance(decoded, ImageDataset)
    return load_images(Task(name="cifar100", fingerprint=decoded.fingerprint), decoded, CPU)


def network(name: str, channels_last: bool) -> nn.Module:
    module = build(name, CLASSES)
    return to_device(module, CPU) if channels_last else module


def distilled(logits: Tensor, labels: Tensor, teacher: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels) - (teacher.softmax(1) * F.log_softmax(logits, 1)).sum(1).mean()


def autocast(precision: str) -> torch.autocast:
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16")


def step(
    student: nn.Module,
    teacher: nn.Module,
    optimiser: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    precision: str,
) -> Tensor:
    """Forward, backward and update; the loss."""
    with autocast(precision):
        with torch.no_grad():
            dark = teacher(images).float()
        logits = student(images).float()
    loss = distilled(logits, labels, dark)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return loss


@dataclass(frozen=True)
class Bench:
    """What all variants train: a network, images, and so many steps."""

    name: str
    data: ImageData
    folder: Path
    steps: int
    found: list[float] = field(default_factory=list)
    """Shares of the teacher's outputs that students found kept: all of a further one's, none of others'."""

    def bare(self, precision: str) -> float:
        """The computation alone."""
        student, teacher = network(self.name, True), network(self.name, True).eval()
        optimiser = torch.optim.SGD(student.parameters(), 0.1, 0.9, nesterov=True, weight_decay=5e-4, fused=True)
        images = self.data.normalise(self.data.train.images[:BATCH])
        labels = self.data.train.labels[:BATCH]
        began = time.perf_counter()
        for _ in range(self.steps):
            step(student, teacher, optimiser, images, labels, precision)
        return self.steps * BATCH / (time.perf_counter() - began)

    def ours(self, precision: str) -> float:
        return self._trained(precision, "ban+l")

    def label_only(self, precision: str) -> float:
        return self._trained(precision, "label")

    def first(self, precision: str) -> float:
        """A student that keeps its teacher's outputs, of which none were kept."""
        with self._rows() as rows:
            return self._trained(precision, "ban+l", rows)

    def further(self, precision: str) -> float:
        """A student whose teacher's outputs another one has asked for."""
        with self._rows() as rows:
            self._trained(precision, "ban", rows)
            return self._trained(precision, "ban+l", rows)

    @contextmanager
    def _rows(self) -> Iterator[SharedMemoryTable]:
        small = self._small()
        limit = bytes_needed(small.views, len(small.train), CLASSES)
        with (
            tempfile.TemporaryDirectory() as folder,
            SharedMemoryTable("teacher", small.views, CLASSES, limit, Path(folder)) as rows,
        ):
            yield rows

    def by_the_command(self, precision: str, workers: int = 1) -> float:
        """By the command; of more steps, since it is measured once a process."""
        return under_ray.speed(self.name, BATCH, precision, self.folder, 3 * self.steps, workers)

    def by_two_workers(self, precision: str) -> float:
        return self.by_the_command(precision, 2)

    def hand_written(self, precision: str) -> float:
        """The usual loop."""
        loader = DataLoader(Pictures(self.data, self.steps * BATCH), BATCH, shuffle=True, drop_last=True)
        student, teacher = network(self.name, False), network(self.name, False).eval()
        optimiser = torch.optim.SGD(student.parameters(), 0.1, 0.9, nesterov=True, weight_decay=5e-4, foreach=False)
        student.train()
        began = time.perf_counter()
        for images, labels in loader:
            step(student, teacher, optimiser, images, labels, precision).item()
        return self.steps * BATCH / (time.perf_counter() - began)

    def peer(self, name: str, python: str) -> Speed:
        """A peer in an environment of its own; see `tests/benchmarks/peers.py`."""

        def speed(_: str) -> float:
            command = [python, "-m", "tests.benchmarks.peers", name, str(self.folder), self.name, str(self.steps)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=under_ray.as_it_comes())
            if done.returncode:
                raise RuntimeError(done.stderr)
            return float(done.stdout.split()[-1])

        return speed

    def _small(self) -> ImageData:
        count = self.steps * BATCH
        part = ImagePart(self.data.train.labels[:count], self.data.train.images[:count])
        nothing = ImagePart(self.data.test.labels[:1], self.data.test.images[:1])
        return replace(self.data, train=part, held_out=nothing, test=nothing)

    def _trained(self, precision: str, objective: str, rows: SharedMemoryTable | None = None) -> float:
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
        record = train(generation, teacher, self._small(), CPU, table=rows).history[0]
        if rows is not None:
            self.found.append(float(record["teacher_outputs_found"] or 0))
        return float(record["images_per_second"] or 0)


def pipeline(data: ImageData, steps: int) -> float:
    """Images per second of our input pipeline alone."""
    order = torch.randperm(len(data.train))
    began = time.perf_counter()
    for step in range(steps):
        batch = order[step * BATCH : (step + 1) * BATCH]
        data.training_batch(batch, sample_crop_flip(0, 0, step, BATCH, data.pad, data.flip))
    return steps * BATCH / (time.perf_counter() - began)
