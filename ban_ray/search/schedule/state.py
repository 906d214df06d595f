"""The state of a running search: study, stopping rule, configurations and queue."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from ban_ray.errors import DamagedMember
from ban_ray.population import Population
from ban_ray.runtime.events import EpochEnded, Published
from ban_ray.search.config.spec import PlannedChain, SearchSpec, invalid_reason
from ban_ray.search.plan.race import Race, is_race
from ban_ray.search.schedule.configurations import ConfigurationManager
from ban_ray.search.schedule.early_stopping import EarlyStopping, EvaluationEvent, StoppingRule
from ban_ray.search.schedule.queue import ChainQueue
from ban_ray.search.study import records, targets
from ban_ray.search.study.configuration_source import make_configuration_source
from ban_ray.search.study.distributions import distributions_of_list, distributions_of_parameters
from ban_ray.search.study.study import SearchStudy, recorded_rung_errors


@dataclass(frozen=True)
class SearchState:
    """The state of a search while it runs.

    Attributes:
        queue: chains to train; those of a grid are known, and those of a sampled search, or whose teachers are chosen
            when they begin, are proposed as it runs.
    """

    study: SearchStudy
    configurations: ConfigurationManager
    stopping_rule: StoppingRule
    queue: ChainQueue

    @classmethod
    def open(cls, spec: SearchSpec, population: Population, folder: Path, name: str) -> "SearchState":
        """Record the search, open its study, and restore what is finished."""
        strategy, scale = spec.strategy, spec.scale
        records.write_search(population.storage, spec, name)
        known = distributions_of_parameters(scale.parameters) or distributions_of_list(scale.configurations)
        configuration_source = make_configuration_source(spec)
        study_file, study_name = folder / "study.journal", records.study_name(spec, name)
        study = SearchStudy(study_file, study_name, known, configuration_source, strategy.target_names)
        finished = targets.finished_trials(spec, study, population)
        stopping_rule = _open_stopping_rule(spec, study, population, finished)
        configurations = ConfigurationManager(
            spec, population, name, study, configuration_source, stopping_rule, finished
        )
        incomplete_chains: list[PlannedChain] = []
        if spec.is_sampled:
            configurations.restore()
        elif not spec.teacher_decisions.is_per_configuration:
            while chains := configurations.next_incomplete_chains():
                incomplete_chains.extend(chains)
        if is_race(spec):
            incomplete_chains.sort(key=lambda planned: spec.seeds.index(planned.seed))
        is_lazy = spec.is_sampled or spec.teacher_decisions.is_per_configuration
        queue = ChainQueue(
            incomplete_chains,
            configurations.next_incomplete_chains if is_lazy else None,
            count_missing=lambda planned: sum(key not in population for key in planned.chain.keys),
            max_generations=strategy.max_generations_trained,
            time_budget_s=strategy.time_budget_s,
        )
        return cls(study, configurations, stopping_rule, queue)


def rung_events(population: Population, planned: PlannedChain, number: int) -> list[EvaluationEvent]:
    """The events at rungs that training a generation would have sent; none if it is not published."""
    generation = planned.chain.generations[number]
    rung, epochs = generation.recipe.drop_rung_epoch, generation.recipe.trained_epochs
    try:
        member = population.get(generation.key)
        if member is None:
            return []
        events: list[EvaluationEvent] = [
            EpochEnded(generation=number, key=member.key, epochs=epochs, drop_rung_epoch=rung, metrics=record)
            for record in (population.history(member) if rung is not None else ())
            if record["epoch"] == rung
        ]
    except DamagedMember:
        # `verify` reports it; it is compared with nothing.
        return []
    return [*events, Published(generation=number, key=member.key, epochs=epochs, metrics=member.metrics.model_dump())]


def _open_stopping_rule(
    spec: SearchSpec, study: SearchStudy, population: Population, finished: Mapping[str, FrozenTrial]
) -> StoppingRule:
    """The stopping rule, with the rung results of every configuration that this search has started before."""
    if not spec.strategy.stopping:
        return StoppingRule(Race(spec, population).reason_to_drop) if is_race(spec) else StoppingRule()
    rule = EarlyStopping(
        patience=spec.strategy.patience,
        min_gain=spec.strategy.min_gain,
        size_targets=lambda planned: targets.size_targets(spec, planned.chain.generations[-1:]),
        rung_events=lambda planned, number: rung_events(population, planned, number),
    )
    for trial in finished.values():
        chains = spec.chains_of(trial.params)
        for planned in chains:
            rule.record_published(planned)
        if trial.state == TrialState.PRUNED:
            rule.restore_errors(chains, recorded_rung_errors(trial))
    for configuration in study.unfinished_configurations(finished):
        if not invalid_reason(spec, configuration):
            for planned in spec.chains_of(configuration):
                rule.record_published(planned)
    return rule
