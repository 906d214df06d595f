"""A worker's way through an order, top to bottom."""

import logging
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

from ban_ray.networks.building import build_for
from ban_ray.networks.loading import load_into
from ban_ray.order import Order, Outcome
from ban_ray.population import Population, checkpoints, claims, failures
from ban_ray.population.storage import PATIENCE_S, find_storage
from ban_ray.specs import Generation, Task
from ban_ray.tasks.data import TaskData, load_data
from ban_ray.tasks.load import open_source
from ban_ray.training import State, Teacher, group, train
from ban_ray.training.placement import to_device
from ban_ray.training.state import from_bytes
from ban_ray.worker.checkpointing import Checkpoints
from ban_ray.worker.decision import Decision, decide
from ban_ray.worker.failure import explain, is_lost_peer
from ban_ray.worker.record import publish_trained
from ban_ray.worker.teacher_rows import teacher_rows

_log = logging.getLogger(__name__)

Report = Callable[[dict[str, Any]], None]


def work(order: Order, device: torch.device, report: Report) -> Outcome:
    """Train, or take from the population, each generation of an order.

    Args:
        report: given a record of JSON values after each epoch and each publication and for each member that was
            taken, on every worker; ``rung`` is the epoch after which chains are compared.
    """
    torch.set_num_threads(order.threads)
    population = Population(find_storage(order.storage, patience_s=PATIENCE_S))
    data: TaskData | None = None
    task: Task | None = None
    for number, generation in enumerate(order.generations, order.first):
        claim: claims.Claim | None = None
        decision: Decision | None = None
        if group.rank() == 0:
            decision, claim = decide(population, generation, order)
        decision = cast(Decision, group.broadcast(decision))
        if decision.what == "taken":
            taken = {"generation": number, "key": generation.key, "taken": True}
            report({**taken, **population[generation.key].metrics.model_dump()} if group.rank() == 0 else {})
            continue
        if decision.what != "train":
            return Outcome(status=decision.what, key=generation.key, sentence=decision.sentence)
        try:
            if data is None or task != generation.task:
                task = generation.task
                data = load_data(task, open_source(order.source, task.fingerprint), device)
            recipe = generation.recipe
            place = {"generation": number, "key": generation.key, "epochs": recipe.epochs, "rung": recipe.rung_epoch}
            with teacher_rows(population, generation, decision, data, order, device) as rows:
                with Checkpoints(population.storage, generation.key, order.run) as kept:
                    trained = train(
                        generation,
                        _teacher(decision.teachers, data, device),
                        data,
                        device,
                        rows=rows,
                        recompute=order.recompute,
                        state=from_bytes(decision.state) if decision.state else None,
                        after_epoch=_after_epoch(kept, generation, place, report),
                    )
                if group.rank() == 0:
                    member = publish_trained(population, generation, number, trained, data, decision, order, device)
                    checkpoints.clear(population.storage, generation.key)
                    if claim is not None:
                        claim.end()
                        claim = None
                    report({**place, "published": True, **member.metrics.model_dump()})
                else:
                    report({})
        except Exception as error:
            if is_lost_peer(error):
                raise
            reason, sentence = explain(error, generation)
            if reason != "unusable":
                _log.exception("generation %s (%s)", generation.key, generation.network)
            # Every worker of a group meets a non-finite loss; any other error may be one worker's alone.
            together = reason == "non-finite" or group.size() == 1
            if group.rank() == 0 or not together:
                _remember(population, generation, reason, sentence, order)
            if group.rank() == 0 and reason == "non-finite":
                checkpoints.clear(population.storage, generation.key)
            if not together:
                # The others wait in a collective call: only the end of this process frees them, and the next
                # start of the group reads the record.
                raise
            return Outcome(status="failed", key=generation.key, sentence=sentence)
        finally:
            if claim is not None:
                claim.release()
    return Outcome(status="done")


def _after_epoch(
    kept: Checkpoints, generation: Generation, place: dict[str, Any], report: Report
) -> Callable[[State], None]:
    def after_epoch(state: State) -> None:
        # After the last epoch comes publication, which is a checkpoint of its own.
        if group.rank() == 0 and state["epoch"] < generation.recipe.epochs:
            # A chain that is stopped for what it reports at its rung may go on from there one day.
            kept.offer(state, at_once=state["epoch"] == generation.recipe.rung_epoch)
        report({**place, **state["history"][-1]})

    return after_epoch


def _teacher(
    specs: tuple[tuple[Generation, dict[str, Tensor]], ...], data: TaskData, device: torch.device
) -> Teacher | None:
    networks = []
    for generation, weights in specs:
        name, arguments = generation.network, generation.network_arguments or None
        network = build_for(data, name, arguments, version=generation.network_version)
        load_into(network, weights, f"teacher {generation.key[:12]}", name)
        networks.append(network)
    return to_device(Teacher(networks), device) if networks else None


def _remember(population: Population, generation: Generation, reason: str, sentence: str, order: Order) -> None:
    try:
        failures.record(population.storage, generation.key, reason, sentence, order.search)
    except OSError:
        # A full disk refuses this record as well; the sentence still reaches this search.
        if reason != "storage":
            raise
