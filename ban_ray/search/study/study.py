"""The Optuna study of a search, with one trial for each configuration."""

import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from ban_ray.search.study.configuration_source import ConfigurationSource
from ban_ray.search.study.distributions import distributions_of_configuration
from ban_ray.specs.parameters import Configuration, configuration_id

INTERRUPTED_REASON = "interrupted"
"""The ``reason`` of a trial whose configuration will be run again."""

FROM_POPULATION_ATTR = "found"
"""User attribute of a trial whose configuration other searches have trained."""

SATURATED_ATTR = "saturated"
"""User attribute of a trial whose chains were saturated: further generations gained nothing."""

_RUNG_ERRORS_ATTR = "held_out_error_by_step"


class SearchStudy:
    """A persistent study in a journal file, which ``optuna-dashboard FILE`` opens.

    Args:
        configuration_source: receives each result as well.
    """

    def __init__(
        self,
        file: Path,
        name: str,
        distributions: Mapping[str, BaseDistribution],
        configuration_source: ConfigurationSource,
        target_names: Sequence[str] = ("error",),
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        file.parent.mkdir(parents=True, exist_ok=True)
        _truncate_partial_line(file)
        self._storage = JournalStorage(JournalFileBackend(str(file)))
        self._study = optuna.create_study(
            storage=self._storage,
            study_name=name,
            directions=["minimize"] * len(target_names),
            load_if_exists=True,
            sampler=optuna.samplers.RandomSampler(),
        )
        if len(target_names) > 1 and not self._study.trials:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                self._study.set_metric_names(list(target_names))
        self._distributions, self._configuration_source = dict(distributions), configuration_source
        # The caller holds the lock on the search's name, so no trial of any study of this file is running.
        for study in self._all_studies():
            for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                _interrupt(study, trial.number)

    def complete_or_pruned_trials(self) -> dict[str, FrozenTrial]:
        """Complete and pruned trials, by the id of their configuration."""
        return {configuration_id(trial.params): trial for trial in self._trials(TrialState.COMPLETE, TrialState.PRUNED)}

    def unfinished_configurations(self, finished_ids: Collection[str]) -> list[Configuration]:
        """Configurations that this search has started and not finished, in the order of their trials.

        Args:
            finished_ids: ids of configurations that need no more training.
        """
        trials = self._trials(TrialState.FAIL, TrialState.PRUNED, TrialState.COMPLETE)
        started = {
            configuration_id(trial.params): trial.params
            for trial in trials
            if FROM_POPULATION_ATTR not in trial.user_attrs
        }
        return [configuration for identifier, configuration in started.items() if identifier not in finished_ids]

    def completed_in_other_studies(self) -> list[Configuration]:
        """Configurations of complete trials in the other studies of this file, such as a study of fewer seeds."""
        configurations: dict[str, Configuration] = {}
        for study in self._all_studies():
            if study.study_name != self._study.study_name:
                for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
                    configurations.setdefault(configuration_id(trial.params), trial.params)
        return list(configurations.values())

    def open_trial(self, configuration: Configuration) -> int:
        """Open a running trial for a configuration.

        Returns:
            The trial's number, which no other process can take, since the caller holds the lock on the search's name.
        """
        number = len(self._study.get_trials(deepcopy=False))
        self._study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=dict(configuration),
                distributions=distributions_of_configuration(configuration, self._distributions),
            )
        )
        return number

    def tell(
        self,
        trial_number: int,
        configuration: Configuration,
        state: TrialState,
        *,
        values: Sequence[float] | None = None,
        user_attrs: Mapping[str, object] | None = None,
        rung_errors: Mapping[int, float] | None = None,
    ) -> None:
        """Close a configuration's trial: complete with its values, pruned with its errors at rungs, or failed."""
        user_attrs = dict(user_attrs or {})
        trial = _running_trial(self._study, trial_number)
        if rung_errors and len(self._study.directions) > 1:
            # Optuna refuses intermediate values in a study of several targets.
            user_attrs[_RUNG_ERRORS_ATTR] = {str(step): value for step, value in rung_errors.items()}
        else:
            for step, value in (rung_errors or {}).items():
                trial.report(value, step)
        for name, attribute in user_attrs.items():
            trial.set_user_attr(name, attribute)
        self._study.tell(trial_number, values, state=state)
        self._configuration_source.tell(configuration, state, values, rung_errors)

    def interrupt_trial(self, trial_number: int) -> None:
        """Close a trial whose configuration will be run again later."""
        _interrupt(self._study, trial_number)

    def _all_studies(self) -> list[optuna.Study]:
        """The studies of this file."""
        names = optuna.get_all_study_names(self._storage)
        return [optuna.load_study(study_name=name, storage=self._storage) for name in names]

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=states)


def _running_trial(study: optuna.Study, number: int) -> optuna.Trial:
    return optuna.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)


def _interrupt(study: optuna.Study, number: int) -> None:
    _running_trial(study, number).set_user_attr("reason", INTERRUPTED_REASON)
    study.tell(number, state=TrialState.FAIL)


def recorded_rung_errors(trial: FrozenTrial) -> dict[int, float]:
    """A trial's errors at the rungs where its chains were compared, by the rung's step."""
    recorded: dict[str, float] = trial.user_attrs.get(_RUNG_ERRORS_ATTR, {})
    return {**trial.intermediate_values, **{int(step): error for step, error in recorded.items()}}


def _truncate_partial_line(file: Path) -> None:
    """Remove an incomplete last line, left by a full disk or a power failure: Optuna cannot read past it."""
    try:
        with file.open("rb+") as journal:
            whole = journal.read().rfind(b"\n") + 1
            if whole < journal.seek(0, os.SEEK_END):
                journal.truncate(whole)
    except FileNotFoundError:
        return
