"""What a search keeps while it runs: study, sampler, judge, ledger; opened with all that is known already."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from ban_ray.errors import DamagedMember
from ban_ray.population import Population
from ban_ray.search import distributions, record, targets
from ban_ray.search.endings import DONE
from ban_ray.search.judge import Judge
from ban_ray.search.ledger import Ledger
from ban_ray.search.policy import ERROR
from ban_ray.search.proposer import Proposer
from ban_ray.search.request import Planned, Request, refused
from ban_ray.search.sampling import Sampling
from ban_ray.search.settled import settled
from ban_ray.search.study import Study, reached
from ban_ray.specs import Generation, digest


@dataclass(frozen=True)
class Books:
    """Attributes:
    open: chains of a grid that are to be begun; a sampled search asks its sampling.
    """

    study: Study
    ledger: Ledger
    judge: Judge | None
    sampling: Sampling | None
    open: tuple[Planned, ...]


def open_books(request: Request, population: Population, folder: Path, name: str) -> Books:
    """Write the search down and open its study, with the configurations told that are finished already."""
    policy, scale = request.policy, request.scale
    record.write(population.storage, request, name)
    known = distributions.of_parameters(scale.parameters) or distributions.of_list(scale.configurations)
    study = Study(folder / "study.journal", _study_name(request, name), known, policy.minimised)
    judge = None
    if policy.stopping:

        def history(generation: Generation) -> list[dict[str, Any]]:
            return replayed(population, generation)

        def sizes(planned: Planned) -> tuple[float, ...]:
            return targets.sizes(request, planned.chain.generations[-1:])

        judge = Judge(patience=policy.patience, min_gain=policy.min_gain, sizes=sizes, history=history)
    known_already = settled(request, study, population)
    if judge:
        _stand(request, study, known_already, judge)
    if not request.sampled:
        ledger = Ledger(request, study, population, known_already, judge=judge)
        return Books(study, ledger, judge, None, _grid(request, population, ledger, judge))
    proposer = Proposer(
        scale.parameters,
        policy.sampler,
        identity=digest(record.identity(request)),
        samples=policy.samples or scale.samples,
        targets=len(policy.minimised),
        refuse=lambda configuration: refused(request, configuration),
    )
    ledger = Ledger(request, study, population, known_already, judge=judge, proposer=proposer)
    sampling = Sampling(request, population, name, study, known_already, ledger, proposer, judge)
    return Books(study, ledger, judge, sampling, ())


def replayed(population: Population, generation: Generation) -> list[dict[str, Any]]:
    """The reports that a member's training would have made at the rungs; none where it is no member."""
    try:
        member = population.get(generation.key)
        if member is None:
            return []
        rung = generation.recipe.rung_epoch
        epochs: list[dict[str, Any]] = [
            {"epoch": rung, "rung": rung, **{k: v for k, v in epoch.items() if k.startswith("held_out_")}}
            for epoch in (population.history(member) if rung is not None else ())
            if epoch["epoch"] == rung
        ]
    except DamagedMember:
        # `verify` tells of it; without its history it is compared with nobody.
        return []
    return [*epochs, {"published": True, **member.metrics.model_dump()}]


def _stand(request: Request, study: Study, known_already: Mapping[str, FrozenTrial], judge: Judge) -> None:
    """Configurations that this search has begun before stand at their rungs, whatever became of them."""
    for trial in known_already.values():
        chains = request.planned(trial.params)
        for planned in chains:
            judge.told_of(planned)
        if trial.state == TrialState.PRUNED:
            judge.remember(chains, reached(trial))
    for configuration in study.begun(known_already):
        if not refused(request, configuration):
            for planned in request.planned(configuration):
                judge.told_of(planned)


def _grid(request: Request, population: Population, ledger: Ledger, judge: Judge | None) -> tuple[Planned, ...]:
    """Tell of the chains that are whole; returns the others, without those that were stopped."""
    ledger.add(request.chains)
    left = []
    for planned in request.chains:
        if targets.whole(population, planned):
            if judge:
                judge.told_of(planned)
            ledger.end(planned, DONE)
        elif not ledger.told(planned.configuration):
            left.append(planned)
    return tuple(left)


def _study_name(request: Request, name: str) -> str:
    """One study holds one set of values: of these generations, seeds and targets."""
    policy = request.policy
    parts = [name, f"{request.generations} generations", f"seeds {','.join(map(str, request.seeds))}"]
    if policy.minimised != (ERROR,) or policy.error_of != "last":
        parts.append(f"{','.join(policy.minimised)} of {policy.error_of}")
    return ", ".join(parts)
