"""What each process of a worker group does with a chain's missing generations; needs no Ray.

Called by `ban_ray.distributed` in every Ray Train worker, and directly in a debugger, a test or a notebook.
"""

import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, cast

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from ban_ray import __version__
from ban_ray.errors import DamagedMember, GenerationFailed, UserError
from ban_ray.networks.build import build
from ban_ray.order import Order, Outcome
from ban_ray.population import (
    Member,
    Population,
    Predictions,
    checkpoints,
    claims,
    failures,
    open_storage,
    publish,
)
from ban_ray.specs import Generation
from ban_ray.tasks.images import ImageData, load_images
from ban_ray.tasks.load import open_source
from ban_ray.training import State, Teacher, Trained, group, train
from ban_ray.training.placement import to_device
from ban_ray.training.state import from_bytes, to_bytes

Report = Callable[[dict[str, Any]], None]


def work(order: Order, device: torch.device, report: Report) -> Outcome:
    """Train, or take from the population, each generation of an order.

    Args:
        report: given a record of JSON values after each epoch and each publication, on every worker.
    """
    torch.set_num_threads(order.threads)
    population = Population(open_storage(order.storage))
    data: ImageData | None = None
    for number, generation in enumerate(order.generations, order.first):
        claim: claims.Claim | None = None
        decision: Decision | None = None
        if group.rank() == 0:
            decision, claim = decide(population, generation, order)
        decision = cast(Decision, group.broadcast(decision))
        if decision.what == "taken":
            continue
        if decision.what != "train":
            return Outcome(status=decision.what, key=generation.key, sentence=decision.sentence)
        try:
            if data is None:
                task = generation.task
                data = load_images(task, open_source(order.source, task.fingerprint), device)
            teacher = _teacher(decision.teachers, data, device)
            state = from_bytes(decision.state) if decision.state else None
            place = {"generation": number, "key": generation.key, "epochs": generation.recipe.epochs}

            def after_epoch(state: State, key: str = generation.key, place: dict[str, Any] = place) -> None:
                if group.rank() == 0 and state["epoch"] < place["epochs"]:
                    checkpoints.save(population.storage, key, order.run, state["epoch"], to_bytes(state))
                report({**place, **state["history"][-1]})

            trained = train(generation, teacher, data, device, state=state, after_epoch=after_epoch)
            if group.rank() == 0:
                member = _publish(population, generation, number, trained, data, decision, order, device)
                checkpoints.clear(population.storage, generation.key)
                if claim is not None:
                    claim.end()
                    claim = None
                place |= {"published": True, **member.metrics.model_dump()}
                report(place)
            else:
                report({})
        except (GenerationFailed, UserError, DamagedMember, MemoryError, RuntimeError) as error:
            reason, sentence = _explain(error, generation)
            if not reason:
                raise
            if group.rank() == 0 or reason == "out-of-memory":
                failures.record(population.storage, generation.key, reason, sentence, order.search)
            if group.size() > 1 and reason == "out-of-memory":
                # The other workers wait in a collective call: only the end of this process frees them, and
                # the next start of the group reads the record.
                raise
            return Outcome(status="failed", key=generation.key, sentence=sentence)
        finally:
            if claim is not None:
                claim.release()
    return Outcome(status="done")


class Decision(BaseModel):
    """Rank 0's word on one generation, for all workers.

    Attributes:
        teachers: spec and weights of each teacher.
        digests: of the weights that teach, by the teacher's key.
        state: of the newest checkpoint.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    what: Literal["taken", "claimed", "failed", "train"]
    sentence: str = ""
    teachers: tuple[tuple[Generation, dict[str, Tensor]], ...] = ()
    digests: dict[str, str] = Field(default_factory=dict)
    state: bytes | None = None


def decide(population: Population, generation: Generation, order: Order) -> tuple[Decision, claims.Claim | None]:
    """Look the generation up, then claim it; with what its training starts from."""
    storage, key = population.storage, generation.key
    try:
        if population.get(key) is not None:
            return Decision(what="taken"), None
        if failure := failures.find(storage, key, order.search):
            return Decision(what="failed", sentence=failure.sentence), None
        claim = claims.take(storage, key, order.run, stale=order.stale.get(key, 0))
        if claim is None:
            return Decision(what="claimed"), None
        if population.get(key) is not None:
            # Published between the look-up and the claim.
            claim.end()
            return Decision(what="taken"), None
        teachers, digests = [], {}
        for teacher in generation.teachers:
            member = population[teacher]
            weights = {name: torch.from_numpy(array) for name, array in population.weights(member).items()}
            teachers.append((member.generation, weights))
            digests[teacher] = member.weights.sha256
    except DamagedMember as error:
        return Decision(what="failed", sentence=str(error)), None
    state = next((data for _, data in checkpoints.newest_first(storage, key)), None)
    return Decision(what="train", teachers=tuple(teachers), digests=digests, state=state), claim


def _teacher(
    specs: tuple[tuple[Generation, dict[str, Tensor]], ...], data: ImageData, device: torch.device
) -> Teacher | None:
    networks = []
    for generation, weights in specs:
        network = build(generation.network, data.num_classes, data.in_channels)
        network.load_state_dict(weights)
        networks.append(network)
    return to_device(Teacher(networks), device) if networks else None


def _explain(error: Exception, generation: Generation) -> tuple[str, str]:
    """Reason and sentence of an error that trying again would not mend; ("", "") for any other."""
    if isinstance(error, GenerationFailed):
        return error.reason, str(error)
    if isinstance(error, UserError | DamagedMember):
        return "unusable", str(error)
    # Torch's CPU allocator has no error class of its own.
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error):
        recipe = generation.recipe
        return "out-of-memory", (
            f"{generation.network} ran out of memory at batch size {recipe.batch_size} on {recipe.workers} "
            "workers; a smaller --batch-size or more --workers may help"
        )
    return "", ""


def _publish(
    population: Population,
    generation: Generation,
    number: int,
    trained: Trained,
    data: ImageData,
    decision: Decision,
    order: Order,
    device: torch.device,
) -> Member:
    recipe = generation.recipe
    seconds = sum(float(record["seconds"] or 0) for record in trained.history)
    steps = recipe.epochs * (len(data.train) // recipe.batch_size)
    return publish(
        population,
        generation,
        weights={name: tensor.contiguous().numpy() for name, tensor in trained.weights.items()},
        predictions=Predictions(
            held_out=trained.held_out.numpy(),
            held_out_labels=data.held_out.labels.cpu().numpy(),
            test=trained.test.numpy(),
            test_labels=data.test.labels.cpu().numpy(),
        ),
        history=trained.history,
        teachers=decision.digests,
        parameters=trained.parameters,
        provenance={
            "chain_seed": order.chain_seed,
            "generation_number": number,
            "seconds": seconds,
            "device_seconds": seconds * recipe.workers,
            "images_seen": steps * recipe.batch_size,
            "training_images": len(data.train),
            "held_out_images": len(data.held_out),
            "test_images": len(data.test),
            "num_classes": data.num_classes,
            "threads": order.threads,
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {
                "ban_ray": __version__,
                "torch": torch.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
            "hardware": {
                "device": device.type,
                "name": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor(),
                "machine": platform.machine(),
                "cpus": os.cpu_count(),
            },
            "host": platform.node(),
            "source": order.source.model_dump(exclude_defaults=True),
            "search": order.search,
            "command": order.command,
        },
    )
