"""The training loop beside the bare computation and a hand-written loop: a born-again generation, teacher online.

    python -m tests.benchmarks.loop DIR [--rounds 5] [--steps 10]

DIR holds train.parquet and test.parquet of CIFAR-100 images. DenseNet-BC-40-12, batch 64, one thread. Variants take
turns within each round; printed are medians of the rounds, and ratios within a round.

- bare: teacher forward, student forward and backward, update, on one fixed batch in the same memory format.
- ours: `ban_ray.training.train`, with augmentation, normalisation, meters.
- ours under Ray: the same by `python -m ban_ray.search`, one worker; its images per second of the second epoch.
- hand-written: what a tutorial does: DataLoader in this process, PIL crops and flips, NCHW, no grouping of updates.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from ban_ray.networks import build
from ban_ray.specs import Generation, Objective, Recipe, Task
from ban_ray.tasks.images import ImageData, ImageSet, draw, load_images
from ban_ray.tasks.load import open_source
from ban_ray.tasks.source import Source
from ban_ray.training import Teacher, train
from ban_ray.training.placement import to_device
from tests.benchmarks import under_ray

NETWORK, BATCH, CLASSES = "densenet-bc-40-12", 64, 100
CPU = torch.device("cpu")


def network(channels_last: bool) -> nn.Module:
    module = build(NETWORK, CLASSES)
    return to_device(module, CPU) if channels_last else module


def distilled(logits: Tensor, labels: Tensor, teacher: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels) - (teacher.softmax(1) * F.log_softmax(logits, 1)).sum(1).mean()


def autocast(precision: str) -> torch.autocast:
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16")


def bare(precision: str, data: ImageData, steps: int) -> float:
    """Images per second of the computation alone."""
    student, teacher = network(True), network(True).eval()
    optimiser = torch.optim.SGD(student.parameters(), 0.1, 0.9, nesterov=True, weight_decay=5e-4, foreach=True)
    images = data.normalise(data.train.images[:BATCH])
    labels = data.train.labels[:BATCH]
    began = time.perf_counter()
    for _ in range(steps):
        with autocast(precision):
            with torch.no_grad():
                dark = teacher(images).float()
            logits = student(images).float()
        loss = distilled(logits, labels, dark)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return steps * BATCH / (time.perf_counter() - began)


def ours(precision: str, data: ImageData, steps: int) -> float:
    """Images per second of an epoch of `steps` steps."""
    part = ImageSet(data.train.images[: steps * BATCH], data.train.labels[: steps * BATCH])
    nothing = ImageSet(data.test.images[:1], data.test.labels[:1])
    small = ImageData(part, nothing, nothing, CLASSES, data.pad, data.flip, data.scale, data.shift)
    generation = Generation(
        task=Task(name="cifar100", fingerprint="0" * 64),
        network=NETWORK,
        recipe=Recipe(epochs=1, batch_size=BATCH, precision=precision),
        objective=Objective(name="ban+l"),
        seed=0,
        teachers=("0" * 64,),
    )
    history = train(generation, Teacher([network(True)]), small, CPU).history
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


def hand_written(precision: str, data: ImageData, steps: int) -> float:
    """Images per second of the usual loop."""
    loader = DataLoader(Pictures(data, steps * BATCH), BATCH, shuffle=True, drop_last=True)
    student, teacher = network(False), network(False).eval()
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
        loss.backward()
        optimiser.step()
        loss.item()
    return steps * BATCH / (time.perf_counter() - began)


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
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    choice = parser.parse_args()
    torch.set_num_threads(1)
    decoded = open_source(Source.of("cifar100", str(choice.data)))
    data = load_images(Task(name="cifar100", fingerprint=decoded.fingerprint), decoded, CPU)
    variants: dict[str, Callable[[str, ImageData, int], float]] = {
        "bare": bare,
        "ours": ours,
        "hand-written": hand_written,
    }
    speeds: dict[tuple[str, str], list[float]] = {}
    data_folder: Path = choice.data

    def ours_under_ray(precision: str, _: ImageData, steps: int) -> float:
        return under_ray.speed(NETWORK, BATCH, precision, data_folder, steps)

    variants["ours under Ray"] = ours_under_ray
    for number in range(choice.rounds + 1):
        for precision in ("fp32", "bf16"):
            for name, variant in variants.items():
                if not number and variant is ours_under_ray:
                    continue
                speed = variant(precision, data, choice.steps)
                if number:
                    # The first round warms up.
                    speeds.setdefault((precision, name), []).append(speed)

    def ratio(over: tuple[str, str], under: tuple[str, str]) -> str:
        pairs = [a / b for a, b in zip(speeds[over], speeds[under], strict=True)]
        return f"{statistics.median(pairs):.2f} [{min(pairs):.2f}, {max(pairs):.2f}]"

    print(
        f"{NETWORK}, batch {BATCH}, {choice.rounds} rounds of {choice.steps} steps, one thread, "
        f"torch {torch.__version__}"
    )
    for (precision, name), values in speeds.items():
        print(f"{precision}  {name:<15} {statistics.median(values):8.1f} images/s")
    print(f"ours / bare, fp32: {ratio(('fp32', 'ours'), ('fp32', 'bare'))}")
    print(f"ours / bare, bf16: {ratio(('bf16', 'ours'), ('bf16', 'bare'))}")
    print(f"ours under Ray / ours, fp32: {ratio(('fp32', 'ours under Ray'), ('fp32', 'ours'))}")
    print(f"ours under Ray / ours, bf16: {ratio(('bf16', 'ours under Ray'), ('bf16', 'ours'))}")
    print(f"ours fp32 / hand-written fp32: {ratio(('fp32', 'ours'), ('fp32', 'hand-written'))}")
    print(f"ours bf16 / hand-written fp32: {ratio(('bf16', 'ours'), ('fp32', 'hand-written'))}")
    print(f"ours bf16 / hand-written bf16: {ratio(('bf16', 'ours'), ('bf16', 'hand-written'))}")
    chain, further = under_ray.overheads()
    print(f"Ray's seconds beside training: {chain:.1f} for a further chain, {further:.2f} for a further generation")
    print(f"input pipeline alone: {pipeline(data, 100):.0f} images/s")


if __name__ == "__main__":
    main()
