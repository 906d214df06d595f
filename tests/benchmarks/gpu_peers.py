"""Loops of others that `tests/benchmarks/gpu.py` measures: a tutorial's, and timm's own parts."""

import importlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ban_ray.tasks.image_data import ImageData, ImagePart
from tests.benchmarks.gpu_variants import LEARNING_RATE, GpuBench, Timing, clean, synchronise
from tests.benchmarks.pictures import Pictures

LOADERS = {"cuda": 8, "cpu": 1}
"""Processes that load images."""
WARM_UP_STEPS = {"cuda": 30, "cpu": 1}
"""Enough for the batches that were loaded while the first step was compiled or chose its algorithms."""
LOG_EVERY = 50
"""Steps after which timm's `train.py` reads the loss."""

Batches = Iterable[tuple[Tensor, Tensor]]
Step = Callable[[Tensor, Tensor], Tensor]


class LeftOut(Exception):
    """A variant that cannot be measured here, and why."""


def tutorial(bench: GpuBench) -> Timing:
    """PIL transforms in worker processes, pinned memory, autocast, channels last, `loss.item()` in each step."""
    clean(bench.device)
    device = bench.device
    data = on_cpu(bench.data)
    loader: DataLoader[tuple[Tensor, int]] = DataLoader(
        Pictures(data, len(data.train)),
        bench.batch,
        shuffle=True,
        drop_last=True,
        num_workers=LOADERS[device.type],
        pin_memory=device.type == "cuda",
        persistent_workers=True,
    )
    student, teacher = bench.network(), bench.network().eval()
    optimiser = torch.optim.SGD(student.parameters(), LEARNING_RATE, 0.9, nesterov=True, weight_decay=5e-4)
    student.train()

    def step(images: Tensor, labels: Tensor) -> Tensor:
        images = images.to(device, non_blocking=True, memory_format=torch.channels_last)
        labels = labels.to(device, non_blocking=True)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            with torch.no_grad():
                dark = teacher(images)
            logits = student(images)
            loss = both_losses(logits, labels, dark)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        loss.item()
        return loss

    return replace(_timed(bench, loader, step, 1), notes={})


def both_losses(logits: Tensor, labels: Tensor, dark: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels) + F.kl_div(
        F.log_softmax(logits, 1), F.log_softmax(dark, 1), reduction="batchmean", log_target=True
    )


def timm(bench: GpuBench, compiled: bool) -> Timing:
    """As timm's `train.py` would: its loader, prefetcher, optimiser and distillation, the loss read now and then."""
    try:
        version = str(importlib.import_module("timm").__version__)
        loaders, optimisers = importlib.import_module("timm.data"), importlib.import_module("timm.optim")
    except ImportError as error:
        raise LeftOut(f"timm cannot be imported: {error}") from error
    clean(bench.device)
    if compiled:
        torch.compiler.reset()
    device, data = bench.device, on_cpu(bench.data)
    mean = (-data.shift / data.scale / 255).flatten().tolist()
    deviation = (1 / data.scale / 255).flatten().tolist()
    loader = loaders.create_loader(
        Plain(data),
        input_size=(3, 32, 32),
        batch_size=bench.batch,
        is_training=True,
        use_prefetcher=True,
        hflip=0.5,
        color_jitter=None,
        mean=tuple(mean),
        std=tuple(deviation),
        num_workers=LOADERS[device.type],
        pin_memory=device.type == "cuda",
        device=device,
    )
    student, teacher = bench.network(), bench.network().eval()
    optimiser = optimisers.create_optimizer_v2(
        student, opt="sgd", lr=LEARNING_RATE, momentum=0.9, weight_decay=5e-4, filter_bias_and_bn=False
    )
    student.train()
    forward, parts = timm_forward(student, teacher, mean, deviation, device, compiled)

    def step(images: Tensor, labels: Tensor) -> Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            loss = forward(images, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad()
        return loss

    measured = _timed(bench, loader, step, LOG_EVERY)
    notes: dict[str, object] = {"timm": version, "distillation": parts}
    if compiled:
        notes["first_step_s"] = measured.notes["first_step_s"]
    return replace(measured, notes=notes)


def timm_forward(
    student: nn.Module,
    teacher: nn.Module,
    mean: list[float],
    deviation: list[float],
    device: torch.device,
    compiled: bool,
) -> tuple[Step, str]:
    """The loss of a batch by timm's task of logit distillation, or by hand where this version has none; and which."""
    try:
        tasks = importlib.import_module("timm.task")
        for network in (student, teacher):
            # What the task reads of timm's own networks.
            network.pretrained_cfg = {"mean": tuple(mean), "std": tuple(deviation)}  # type: ignore[assignment]
            network.num_classes, network.in_chans = 100, 3  # type: ignore[assignment]
        task = tasks.LogitDistillationTask(
            student,
            tasks.DistillationTeacher(teacher, device=device),
            criterion=nn.CrossEntropyLoss(),
            distill_loss_weight=1.0,
            task_loss_weight=1.0,
            device=device,
        )
        if compiled:
            task.compile()

        def by_task(images: Tensor, labels: Tensor) -> Tensor:
            loss: Tensor = task(images, labels)["loss"]
            return loss

        return by_task, "LogitDistillationTask"
    except (ImportError, AttributeError, TypeError) as error:
        reason = str(error)
    if compiled:
        student, teacher = torch.compile(student), torch.compile(teacher)  # type: ignore[assignment]

    def by_hand(images: Tensor, labels: Tensor) -> Tensor:
        with torch.no_grad():
            dark = teacher(images)
        return both_losses(student(images), labels, dark)

    return by_hand, f"by hand ({reason})"


class Plain(Dataset[tuple[Any, int]]):
    """PIL images and labels; `transform` is set by timm's loader."""

    def __init__(self, data: ImageData) -> None:
        self.images = [Image.fromarray(image) for image in data.train.images.numpy()]
        self.labels = data.train.labels.tolist()
        self.transform: Callable[[Any], Any] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = self.images[index]
        return image if self.transform is None else self.transform(image), self.labels[index]


def on_cpu(data: ImageData) -> ImageData:
    train = ImagePart(data.train.labels.cpu(), data.train.images.cpu())
    return replace(data, train=train, scale=data.scale.cpu(), shift=data.shift.cpu())


@dataclass
class _Endless:
    """Batches of one epoch after the other."""

    loader: Batches

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from self.loader


def _timed(bench: GpuBench, loader: Iterable[Any], step: Step, read_every: int) -> Timing:
    """Steps for about the bench's time, after others that are not timed."""
    device, warm_up = bench.device, WARM_UP_STEPS[bench.device.type]
    batches = iter(_Endless(loader))
    first, warming = 0.0, 0.0
    for number in range(warm_up):
        images, labels = next(batches)
        began = time.perf_counter()
        step(images, labels)
        synchronise(device)
        if not number:
            first = time.perf_counter() - began
            warming = time.perf_counter()
        elif time.perf_counter() - warming > bench.seconds:
            # Of a large network a few steps are enough.
            break
    began, steps = time.perf_counter(), 0
    while steps < 3 or time.perf_counter() - began < bench.seconds:
        loss = step(*next(batches))
        steps += 1
        if not steps % read_every or steps == 3:
            loss.item()
    synchronise(device)
    elapsed = time.perf_counter() - began
    memory = torch.cuda.max_memory_allocated() if device.type == "cuda" else None
    return Timing(elapsed / steps, bench.batch, memory, None, {"first_step_s": round(first, 1)})
