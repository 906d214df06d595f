"""The training of one generation, top to bottom."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ban_ray.errors import GenerationFailed, UserError
from ban_ray.networks.building import build
from ban_ray.objectives import loss
from ban_ray.specs import Generation, derive_seed
from ban_ray.tasks.images import ImageData, draw
from ban_ray.training import group
from ban_ray.training.evaluation import error_percent, log_likelihood, log_probabilities
from ban_ray.training.meters import Meters
from ban_ray.training.placement import to_device
from ban_ray.training.precision import autocast, set_precision
from ban_ray.training.sgd import SGD
from ban_ray.training.shared_layers import share_layers
from ban_ray.training.teachers import Teacher

State = dict[str, Any]
"""All that a resume needs: ``epoch`` (done), ``model``, ``optimiser`` and ``history``."""

Record = dict[str, float | int | None]
"""One epoch of a history; `ban_ray.population.member.History` lists the columns and their units."""

FINITE_CHECK_STEPS = 50


@dataclass(frozen=True)
class Trained:
    """A finished generation.

    Attributes:
        weights: state dict on the CPU; batch-norm statistics are rank 0's.
        held_out, test: log-probabilities (n, classes) float32; empty where the part is.
        parameters: all of the network's, frozen ones included.
        history: a record for each epoch.
    """

    weights: dict[str, Tensor]
    parameters: int
    held_out: Tensor
    test: Tensor
    history: list[Record]


def train(
    generation: Generation,
    teacher: Teacher | None,
    data: ImageData,
    device: torch.device,
    *,
    state: State | None = None,
    after_epoch: Callable[[State], None] | None = None,
) -> Trained:
    """Train one generation; the same bits for the same arguments on CPU, also from any `state`.

    Where torch.distributed is up, every worker calls this with the same arguments and takes its part of each
    batch. Evaluation is rank 0's.

    Args:
        state: of an epoch's end, as `after_epoch` was given it.
        after_epoch: called on every worker at each epoch's end.

    Raises:
        GenerationFailed: the loss is not finite.
        UserError: the recipe does not fit the data or the device.
    """
    recipe, objective, seed = generation.recipe, generation.objective, generation.seed
    rank, workers = group.rank(), group.workers()
    samples = len(data.train)
    steps = samples // recipe.batch_size
    if not steps:
        raise UserError(
            f"batch size {recipe.batch_size} is larger than the {samples} training images; allowed are 1 to {samples}"
        )
    if workers.count != recipe.workers:
        raise UserError(f"the recipe asks for {recipe.workers} workers and {workers.count} run")
    local = recipe.batch_size // workers.count
    mine = slice(rank * local, (rank + 1) * local)
    augmentation_seed = seed if generation.augmentation_seed is None else generation.augmentation_seed

    set_precision(recipe, device)
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(seed, "initialisation"))
        network = build(generation.network, data.num_classes, data.in_channels, generation.network_arguments or None)
    if generation.shared_layers != "none":
        share_layers(network, teacher, frozen=generation.shared_layers == "frozen")
    to_device(network, device)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    optimiser = SGD(network.parameters(), recipe)
    history: list[Record] = []
    first = 0
    if state is not None:
        network.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        history, first = list(state["history"]), state["epoch"]
    model = group.distribute(network)
    reads = teacher if objective.needs_teacher else None

    for epoch in range(first, recipe.epochs):
        began = time.perf_counter()
        learning_rate = recipe.learning_rate_at(epoch)
        shuffle = torch.Generator().manual_seed(derive_seed(seed, "order", epoch))
        order = torch.randperm(samples, generator=shuffle)
        meters = Meters(device, reads is not None)
        model.train()
        for step in range(steps):
            batch = order[step * recipe.batch_size : (step + 1) * recipe.batch_size][mine].to(device)
            draws = draw(augmentation_seed, epoch, step, recipe.batch_size, data.pad, data.flip)[mine]
            images, labels = data.training_batch(batch, draws.to(device))
            torch.manual_seed(derive_seed(seed, "dropout", epoch, step, rank))
            with autocast(recipe, device):
                dark = reads(images) if reads is not None else None
                logits = model(images).float()
            keys = None
            if objective.name == "dkpp":
                generator = torch.Generator().manual_seed(derive_seed(seed, "permutation", epoch, step))
                keys = torch.rand(recipe.batch_size, data.num_classes, generator=generator)[mine].to(device)
            terms = loss(objective, logits, labels, dark, keys=keys, workers=workers)
            optimiser.zero_grad()
            terms.total.backward()  # type: ignore[no-untyped-call]
            optimiser.step(learning_rate)
            meters.add(terms, logits, labels, dark)
            looked = (step + 1) % FINITE_CHECK_STEPS == 0 or step + 1 == steps
            if looked and not meters.finite():
                raise GenerationFailed(
                    "non-finite",
                    f"the loss of {generation.network} ({objective}) is not finite in epoch {epoch + 1} of "
                    f"{recipe.epochs}, by step {step + 1} of {steps}; a smaller learning rate than "
                    f"{recipe.learning_rate:g} may help",
                )
        trained_s = time.perf_counter() - began
        record: Record = {
            "epoch": epoch + 1,
            "learning_rate": learning_rate,
            **meters.means(),
            "held_out_error": None,
            "held_out_log_likelihood": None,
            "images_per_second": steps * recipe.batch_size / trained_s,
        }
        if rank == 0 and len(data.held_out):
            outputs = log_probabilities(network, data, data.held_out, recipe)
            record["held_out_error"] = error_percent(outputs, data.held_out.labels)
            record["held_out_log_likelihood"] = log_likelihood(outputs, data.held_out.labels)
        record["seconds"] = time.perf_counter() - began
        history.append(record)
        if after_epoch is not None:
            after_epoch(
                {
                    "epoch": epoch + 1,
                    "model": network.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "history": history,
                }
            )

    held_out = test = torch.empty(0, data.num_classes)
    if rank == 0:
        held_out = log_probabilities(network, data, data.held_out, recipe)
        test = log_probabilities(network, data, data.test, recipe)
    # The last step's loss may be finite and the weights after it not.
    if group.any_worker(not bool(test.isfinite().all() and held_out.isfinite().all()), device):
        raise GenerationFailed(
            "non-finite",
            f"{generation.network} ({objective}) predicts numbers that are not finite after its last epoch; "
            f"a smaller learning rate than {recipe.learning_rate:g} may help",
        )
    return Trained(
        weights={name: tensor.detach().cpu() for name, tensor in network.state_dict().items()},
        parameters=parameters,
        held_out=held_out,
        test=test,
        history=history,
    )
