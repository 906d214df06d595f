"""One of two processes that share generations over gloo: ``python -m tests.training.two_workers RANK FOLDER``.

Reads ``orders.json`` and leaves what it saw in ``rank<RANK>.pt``.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ban_ray.objectives import LossInputs
from ban_ray.runtime.events import Event
from ban_ray.runtime.messages import TrainingJob
from ban_ray.runtime.worker import JobTrainer
from ban_ray.specs import OBJECTIVES, Generation, Objective, Recipe
from ban_ray.tasks.image_data import load_images
from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from ban_ray.training import distributed, train
from ban_ray.training.checkpoint import from_bytes, to_bytes
from ban_ray.training.meters import Meters
from ban_ray.training.optimizer import SGD
from ban_ray.training.step import StepInputs, TrainingStep
from tests.helpers.training_spies import CPU, a_teacher, watch_batches, without_times

SAMPLES, FEATURES, CLASSES, STEPS = 12, 6, 5, 3
RESUMED: dict[str, dict[str, Any]] = {
    "adamw": {
        "optimiser": "adamw",
        "learning_rate": 1e-3,
        "schedule": "cosine",
        "warm_up_epochs": 1,
        "averaging": "swa",
        "swa_start": 0.0,
        "micro_batches": 5,
    },
    "muon": {"optimiser": "muon", "learning_rate": 1e-2, "schedule": "wsd", "decay_part": 0.5, "averaging": "ema"},
    "adagrad": {"optimiser": "adagrad", "learning_rate": 1e-2, "schedule": "linear", "averaging": "best", "clip": 1.0},
    "radam": {"optimiser": "radam", "learning_rate": 1e-3, "decay": "matrices", "body_learning_rate": 0.5},
}
"""Recipes of two epochs whose trainings are resumed after the first one."""


def without_batch_norm() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(FEATURES, 16), nn.Tanh(), nn.Linear(16, CLASSES))


def batch() -> dict[str, torch.Tensor]:
    """Samples that the teacher is less and less sure of, so that each worker's share of the weights differs."""
    chance = torch.Generator().manual_seed(1)
    logits = torch.randn(SAMPLES, CLASSES, generator=chance) * torch.linspace(9, 0.1, SAMPLES)[:, None]
    return {
        "inputs": torch.randn(SAMPLES, FEATURES, generator=chance),
        "labels": torch.randint(0, CLASSES, (SAMPLES,), generator=chance),
        "teacher": torch.log_softmax(logits, 1),
        "draws": torch.rand(SAMPLES, CLASSES, generator=chance),
    }


def updated(text: str) -> dict[str, torch.Tensor]:
    """The network's parameters after a few updates by however many workers there are."""
    network = without_batch_norm()
    model = DistributedDataParallel(network)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.5, momentum=0.9, nesterov=True)
    local = SAMPLES // distributed.world_size()
    worker_slice = slice(distributed.rank() * local, (distributed.rank() + 1) * local)
    part = {name: tensor[worker_slice] for name, tensor in batch().items()}
    for _ in range(STEPS):
        logits = model(part["inputs"])
        inputs = LossInputs(logits, part["labels"], part["teacher"], part["draws"], distributed.workers())
        terms = Objective.parse(text).loss(inputs)
        optimiser.zero_grad()
        terms.total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def accumulated(text: str) -> dict[str, torch.Tensor]:
    """The same by training steps that cut each worker's part into micro-batches."""
    recipe = Recipe(batch_size=SAMPLES, workers=2, micro_batches=3, weight_decay=0.0)
    network, objective = without_batch_norm(), Objective.parse(text)
    step = TrainingStep(
        distributed.wrap_ddp(network), None, objective.loss, SGD(network.parameters(), recipe), Meters(CPU), recipe
    )
    local = SAMPLES // distributed.world_size()
    worker_slice = slice(distributed.rank() * local, (distributed.rank() + 1) * local)
    part = {name: tensor[worker_slice] for name, tensor in batch().items()}
    for _ in range(STEPS):
        step(StepInputs(part["inputs"], part["labels"], part["teacher"], part["draws"]), 0.5)
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def join(folder: Path, name: str, rank: int, size: int) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder / name}", rank=rank, world_size=size)


def trained(generation: Generation) -> dict[str, Any]:
    """A training, what it trained on, and the same training resumed after its first epoch."""
    source = Source(name="digits")
    decoded = open_source(source)
    assert isinstance(decoded, ImageDataset)
    data = load_images(generation.task, decoded, CPU)
    teacher = a_teacher(data)
    states: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        batches = watch_batches(patch)
        made = train(generation, teacher, data, CPU, after_epoch=lambda state: states.append(to_bytes(state)))
    state = distributed.broadcast(states[0])
    resumed = train(generation, teacher, data, CPU, state=from_bytes(state))  # type: ignore[arg-type]
    return {
        "weights": made.weights,
        "held_out": made.held_out,
        "test": made.test,
        "history": without_times(made.history),
        "indices": [batch.indices for batch in batches],
        "draws": [torch.stack([batch.draws.down, batch.draws.right, batch.draws.mirror.long()]) for batch in batches],
        "resumed": resumed.weights,
        "resumed_test": resumed.test,
    }


def main(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    seen: dict[str, Any] = {}
    if rank == 0:
        join(folder, "alone", 0, 1)
        seen["one"] = {text: updated(text) for text in OBJECTIVES}
        dist.destroy_process_group()
    join(folder, "together", rank, 2)
    seen["two"] = {text: updated(text) for text in OBJECTIVES}
    orders = [TrainingJob.model_validate(order) for order in json.loads((folder / "orders.json").read_text())]
    seen["accumulated"] = {text: accumulated(text) for text in OBJECTIVES}
    generation = orders[0].generations[-1]
    seen["train"] = trained(generation)
    seen["resumed"] = {
        case: trained(
            generation.model_copy(update={"recipe": generation.recipe.model_copy(update={"epochs": 2, **fields})})
        )
        for case, fields in RESUMED.items()
    }
    self_taught = {"objective": Objective(name="self-ema"), "teachers": ()}
    seen["resumed"]["self-ema"] = trained(generation.model_copy(update=self_taught))
    seen["work"] = []
    for order in orders:
        reports: list[Event] = []
        outcome = JobTrainer(CPU, reports.append).train(order)
        events = [event.model_dump() for event in reports]
        seen["work"].append({"outcome": outcome.model_dump(), "reports": events})
    torch.save(seen, folder / f"rank{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
