"""What a search keeps while it runs: study, sampler, judge, ledger; opened with all that is known already."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from ban_ray.errors import DamagedMember
from ban_ray.population import Population
from ban_ray.search.config.resolve import PlannedChain, SearchSpec, invalid_reason
from ban_ray.search.config.strategy import ERROR
from ban_ray.search.schedule.configurations import ConfigurationTracker
from ban_ray.search.schedule.early_stopping import EarlyStopping
from ban_ray.search.schedule.finished import finished_configurations
from ban_ray.search.schedule.outcome import DONE
from ban_ray.search.schedule.sampled_configurations import SampledConfigurations
from ban_ray.search.study import distributions, records, targets
from ban_ray.search.study.sampler import ConfigurationSampler
from ban_ray.search.study.study import SearchStudy, rung_errors
from ban_ray.specs import Generation, digest


@dataclass(frozen=True)
class SearchState:
    """Attributes:
    open: chains of a grid that are to be begun; a sampled search asks its sampling.
    """

    study: SearchStudy
    tracker: ConfigurationTracker
    early_stopping: EarlyStopping | None
    sampled: SampledConfigurations | None
    open_chains: tuple[PlannedChain, ...]


def open_search_state(request: SearchSpec, population: Population, folder: Path, name: str) -> SearchState:
    """Write the search down and open its study, with the configurations told that are finished already."""
    policy, scale = request.strategy, request.scale
    records.write_search(population.storage, request, name)
    parameter_distributions = distributions.of_parameters(scale.parameters) or distributions.of_list(
        scale.configurations
    )
    study = SearchStudy(folder / "study.journal", _study_name(request, name), parameter_distributions, policy.targets)
    early_stopping = None
    if policy.stopping:

        def history(generation: Generation) -> list[dict[str, Any]]:
            return rung_reports(population, generation)

        def sizes(planned: PlannedChain) -> tuple[float, ...]:
            return targets.size_targets(request, planned.chain.generations[-1:])

        early_stopping = EarlyStopping(patience=policy.patience, min_gain=policy.min_gain, sizes=sizes, history=history)
    finished = finished_configurations(request, study, population)
    if early_stopping:
        _restore_rungs(request, study, finished, early_stopping)
    if not request.is_sampled:
        tracker = ConfigurationTracker(request, study, population, finished, early_stopping=early_stopping)
        return SearchState(
            study, tracker, early_stopping, None, _register_grid(request, population, tracker, early_stopping)
        )
    sampler = ConfigurationSampler(
        scale.parameters,
        policy.sampler,
        identity=digest(records.search_identity(request)),
        samples=policy.samples or scale.samples,
        targets=len(policy.targets),
        invalid_reason=lambda configuration: invalid_reason(request, configuration),
    )
    tracker = ConfigurationTracker(request, study, population, finished, early_stopping=early_stopping, sampler=sampler)
    sampled = SampledConfigurations(request, population, name, study, finished, tracker, sampler, early_stopping)
    return SearchState(study, tracker, early_stopping, sampled, ())


def rung_reports(population: Population, generation: Generation) -> list[dict[str, Any]]:
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


def _restore_rungs(
    request: SearchSpec, study: SearchStudy, finished: Mapping[str, FrozenTrial], early_stopping: EarlyStopping
) -> None:
    """Configurations that this search has begun before stand at their rungs, whatever became of them."""
    for trial in finished.values():
        chains = request.chains_of(trial.params)
        for planned in chains:
            early_stopping.add_completed(planned)
        if trial.state == TrialState.PRUNED:
            early_stopping.restore(chains, rung_errors(trial))
    for configuration in study.started(finished):
        if not invalid_reason(request, configuration):
            for planned in request.chains_of(configuration):
                early_stopping.add_completed(planned)


def _register_grid(
    request: SearchSpec, population: Population, tracker: ConfigurationTracker, early_stopping: EarlyStopping | None
) -> tuple[PlannedChain, ...]:
    """Tell of the chains that are whole; returns the others, without those that were stopped."""
    tracker.add(request.chains)
    open_chains = []
    for planned in request.chains:
        if targets.is_chain_complete(population, planned):
            if early_stopping:
                early_stopping.add_completed(planned)
            tracker.on_chain_end(planned, DONE)
        elif not tracker.is_finished(planned.configuration):
            open_chains.append(planned)
    return tuple(open_chains)


def _study_name(request: SearchSpec, name: str) -> str:
    """One study holds one set of values: of these generations, seeds and targets."""
    policy = request.strategy
    parts = [name, f"{request.generations} generations", f"seeds {','.join(map(str, request.seeds))}"]
    if policy.targets != (ERROR,) or policy.select_by != "last":
        parts.append(f"{','.join(policy.targets)} of {policy.select_by}")
    return ", ".join(parts)
