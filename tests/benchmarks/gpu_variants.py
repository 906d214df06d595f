"""Variants that `tests/benchmarks/gpu.py` measures in its own process: the bare computation, and ours."""

import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ban_ray.networks import build
from ban_ray.networks.registry import parse
from ban_ray.networks.source_version import chosen_version
from ban_ray.specs import Generation, Objective, Recipe, Task
from ban_ray.tasks.image_data import ImageData, ImagePart, load_images
from ban_ray.tasks.image_dataset import ImageArrays, ImageDataset
from ban_ray.training import Teacher, train
from ban_ray.training.execution import ExecutionOptions
from ban_ray.training.precision import set_determinism, set_precision, to_device
from ban_ray.training.teacher_cache.shared_memory import SharedMemoryTable, bytes_needed

CLASSES = 100
LEARNING_RATE = 1e-3
"""Small, so that networks that learn noise from a random teacher stay finite."""
WARM_UP_STEPS = 3
PROBE_STEPS = 8
FEWEST_STEPS = 5
FINGERPRINT = "0" * 64
VIT_TINY = "tests.benchmarks.vit_tiny:build"
ALIASES = {"vit-tiny": VIT_TINY}

GPU_BATCH, CPU_BATCH = 128, 16


@dataclass(frozen=True)
class Timing:
    """What a variant was measured to take.

    Attributes:
        memory: the most bytes that tensors took on the GPU; None where it was not measured.
        reserved: the most bytes that the allocator held.
        notes: further figures by name.
    """

    seconds_per_step: float
    batch: int
    memory: int | None = None
    reserved: int | None = None
    notes: dict[str, object] = field(default_factory=dict)

    @property
    def images_per_second(self) -> float:
        return self.batch / self.seconds_per_step


def random_images(count: int, held_back: int = 0) -> ImageDataset:
    """Noise in the shape of CIFAR-100."""
    generator = np.random.default_rng(0)

    def part(size: int) -> ImageArrays:
        images = generator.integers(0, 256, (size, 32, 32, 3), dtype=np.uint8)
        return ImageArrays(images, np.arange(size, dtype=np.int64) % CLASSES)

    return ImageDataset(FINGERPRINT, CLASSES, part(count), part(max(1, held_back)))


def load(folder: Path | None, device: torch.device) -> ImageData:
    """CIFAR-100 from Parquet files, or noise where no folder is given; a test image, none held out."""
    if folder is None:
        decoded = random_images(50_000 if device.type == "cuda" else 2_000)
    else:
        from ban_ray.tasks.opening import open_source
        from ban_ray.tasks.source import Source

        opened = open_source(Source.of("cifar100", str(folder)))
        assert isinstance(opened, ImageDataset)
        decoded = opened
    data = load_images(Task(name="cifar100", fingerprint=decoded.fingerprint), decoded, device)
    return replace(data, held_out=_first(data.held_out, 0), test=_first(data.test, 1))


def _first(part: ImagePart, count: int) -> ImagePart:
    return ImagePart(part.labels[:count], part.images[:count])


def network_version(name: str) -> str:
    return chosen_version(parse(name), None)


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def seconds_per_step(device: torch.device, step: Callable[[], object], steps: int) -> float:
    synchronise(device)
    began = time.perf_counter()
    for _ in range(steps):
        step()
    synchronise(device)
    return (time.perf_counter() - began) / steps


def steps_in(seconds: float, step_s: float) -> int:
    return max(FEWEST_STEPS, round(seconds / step_s))


def clean(device: torch.device) -> None:
    """Free what earlier variants left, and undo their settings."""
    set_determinism(False, device)
    set_precision(Recipe(precision="bf16"), device)
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


class BareStep:
    """Teacher forward, student forward and backward, and update, on one fixed batch."""

    def __init__(self, bench: "GpuBench", compiled: bool = False) -> None:
        self.device = bench.device
        self._student, self._teacher = bench.network(), bench.network().eval().requires_grad_(False)
        self._optimiser = torch.optim.SGD(
            self._student.parameters(), LEARNING_RATE, 0.9, nesterov=True, weight_decay=5e-4, fused=True
        )
        if compiled:
            # A compiled module shares the parameters.
            self._student = torch.compile(self._student, dynamic=False)  # type: ignore[assignment]
            self._teacher = torch.compile(self._teacher, dynamic=False)  # type: ignore[assignment]
        self._images = bench.data.normalise(bench.data.train.images[: bench.batch])
        self._labels = bench.data.train.labels[: bench.batch]
        self._graph: torch.cuda.CUDAGraph | None = None
        self._stream = torch.cuda.Stream() if self.device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def _eager(self) -> None:
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            with torch.no_grad():
                dark = self._teacher(self._images).float().softmax(1)
            logits = self._student(self._images).float()
        loss = F.cross_entropy(logits, self._labels) - (dark * F.log_softmax(logits, 1)).sum(1).mean()
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()

    def warm_up(self) -> float:
        """Some steps, on a stream of their own where there is a GPU; the seconds of the first one."""
        began = time.perf_counter()
        first = 0.0
        for number in range(WARM_UP_STEPS):
            if self._stream is None:
                self._eager()
            else:
                self._stream.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(self._stream):
                    self._eager()
                torch.cuda.current_stream().wait_stream(self._stream)
            if not number:
                synchronise(self.device)
                first = time.perf_counter() - began
        synchronise(self.device)
        return first

    def capture(self) -> None:
        self._optimiser.zero_grad()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            self._eager()
        self._graph = graph

    def __call__(self) -> None:
        if self._graph is None:
            self._eager()
        else:
            self._graph.replay()

    def measured(self, seconds: float) -> float:
        """Seconds per step of as many steps as fit."""
        probe = seconds_per_step(self.device, self, WARM_UP_STEPS)
        return seconds_per_step(self.device, self, steps_in(seconds, probe))


@dataclass
class GpuBench:
    """What all variants train: a network, images on a device, and for about how many seconds."""

    name: str
    data: ImageData
    device: torch.device
    seconds: float
    step_s: float | None = None
    """Of ours, as last measured."""

    @property
    def batch(self) -> int:
        return GPU_BATCH if self.device.type == "cuda" else CPU_BATCH

    @cached_property
    def teacher(self) -> Teacher:
        return Teacher([self.network()])

    def network(self) -> nn.Module:
        return to_device(build(self.name, CLASSES), self.device)

    def bare(self, *, graph: bool = False, compiled: bool = False) -> Timing:
        clean(self.device)
        if compiled:
            torch.compiler.reset()
        step = BareStep(self, compiled)
        first = step.warm_up()
        if graph:
            step.capture()
        return self._timing(step.measured(self.seconds), {"first_step_s": round(first, 1)} if compiled else {})

    def in_turns(self, rounds: int, graph: bool, report: Callable[[int, Timing, Timing, float], None]) -> None:
        """The bare step and ours by turns, in every second round ours first.

        Args:
            report: called after each round with its number, both timings, and the ratio of ours to the bare speed.
        """
        clean(self.device)
        bare = BareStep(self)
        bare.warm_up()
        if graph:
            bare.capture()
        self.step_s = bare.measured(self.seconds / 8)
        self._train(ExecutionOptions(), PROBE_STEPS, 2)
        share = self.seconds / 4
        for number in range(1, rounds + 1):
            bare_s = bare.measured(share) if number % 2 else None
            self.step_s = ours_s = self._train(ExecutionOptions(), *self._plan(share, self.step_s))
            bare_s = bare_s or bare.measured(share)
            report(number, Timing(bare_s, self.batch), Timing(ours_s, self.batch), bare_s / ours_s)

    def ours(self, options: ExecutionOptions, seconds: float | None = None) -> Timing:
        clean(self.device)
        seconds = self.seconds / 2 if seconds is None else seconds
        probe = self._train(options, PROBE_STEPS, 2)
        return self._timing(self._train(options, *self._plan(seconds, probe)))

    def ours_compiled(self) -> Timing:
        """One training, in whose first step the networks are compiled."""
        clean(self.device)
        torch.compiler.reset()
        if self.step_s is None:
            self.step_s = self._train(ExecutionOptions(), PROBE_STEPS, 2)
        began: list[float] = []
        step_s = self._train(
            ExecutionOptions(compile=True),
            *self._plan(self.seconds / 2, self.step_s),
            before_step=lambda: began.append(time.perf_counter()),
        )
        return self._timing(step_s, {"first_step_s": round(began[1] - began[0], 1)})

    def kept_outputs(self, report: Callable[[str, Timing], None]) -> None:
        """Students by a recipe of cached teacher outputs: one that keeps them, then one that finds them all."""
        clean(self.device)
        options = ExecutionOptions()
        if self.step_s is None:
            self.step_s = self._train(options, PROBE_STEPS, 2)
        steps, epochs = self._plan(self.seconds / 2, self.step_s)
        with self._table(steps, epochs) as table:
            for name, objective in (("kept outputs, first", "ban"), ("kept outputs, further", "ban+l")):
                found: list[float] = []
                step_s = self._train(options, steps, epochs, objective=objective, table=table, found=found)
                report(name, self._timing(step_s, {"found": round(statistics.fmean(found), 3)}))

    @contextmanager
    def _table(self, steps: int, epochs: int) -> Iterator[SharedMemoryTable]:
        views = self._data(steps).views
        limit = bytes_needed(views, steps * self.batch * epochs, CLASSES)
        with (
            tempfile.TemporaryDirectory() as folder,
            SharedMemoryTable("teacher", views, CLASSES, limit, Path(folder)) as table,
        ):
            yield table

    def _plan(self, seconds: float, step_s: float) -> tuple[int, int]:
        """Steps an epoch, at most those of the data, and epochs: one to warm up, and the rest in about this time."""
        steps = min(len(self.data.train) // self.batch, steps_in(seconds, step_s))
        return steps, 1 + max(1, round(seconds / (steps * step_s)))

    def _data(self, steps: int) -> ImageData:
        return replace(self.data, train=_first(self.data.train, steps * self.batch))

    def generation(self, epochs: int, objective: str = "ban+l", cached: bool = False) -> Generation:
        return Generation(
            task=Task(name="cifar100", fingerprint=FINGERPRINT),
            network=self.name,
            network_version=network_version(self.name),
            recipe=Recipe(
                epochs=epochs,
                batch_size=self.batch,
                learning_rate=LEARNING_RATE,
                precision="bf16",
                teacher_outputs="cached" if cached else "online",
            ),
            objective=Objective(name=objective),
            seed=0,
            teachers=(FINGERPRINT,),
        )

    def _train(
        self,
        options: ExecutionOptions,
        steps: int,
        epochs: int,
        *,
        objective: str = "ban+l",
        table: SharedMemoryTable | None = None,
        found: list[float] | None = None,
        before_step: Callable[[], None] | None = None,
    ) -> float:
        """Seconds per step of all epochs but the first."""
        # What an earlier training left would count as this one's memory.
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        history = train(
            self.generation(epochs, objective, table is not None),
            self.teacher,
            self._data(steps),
            self.device,
            table=table,
            options=options,
            before_step=before_step,
        ).history
        if found is not None:
            found += [float(record["teacher_outputs_found"] or 0) for record in history[1:]]
        return statistics.fmean(self.batch / float(record["images_per_second"] or 0) for record in history[1:])

    def _timing(self, step_s: float, notes: dict[str, object] | None = None) -> Timing:
        on_gpu = self.device.type == "cuda"
        return Timing(
            step_s,
            self.batch,
            torch.cuda.max_memory_allocated() if on_gpu else None,
            torch.cuda.max_memory_reserved() if on_gpu else None,
            notes or {},
        )
