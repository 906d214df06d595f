"""The Optuna study behind a search, by ask and tell: one trial a configuration, told once."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from ban_ray.specs.space import Configuration


class Study:
    """A persistent study in a file of its own; `optuna-dashboard FILE` opens it."""

    def __init__(self, file: Path, name: str, distributions: Mapping[str, BaseDistribution]) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        file.parent.mkdir(parents=True, exist_ok=True)
        storage = JournalStorage(JournalFileBackend(str(file)))
        self._study = optuna.create_study(storage=storage, study_name=name, direction="minimize", load_if_exists=True)
        self._distributions = dict(distributions)
        # The caller holds the lock on the search's name, so nobody else is running these.
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._study.tell(trial.number, state=TrialState.FAIL)

    def told(self, configuration: Configuration) -> bool:
        """Whether the configuration has its value."""
        complete = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return any(trial.params == dict(configuration) for trial in complete)

    def ask(self, configuration: Configuration) -> optuna.Trial:
        """Open a trial with the given parameters."""
        self._study.enqueue_trial(dict(configuration))
        return self._study.ask(self._distributions)

    def tell(self, trial: optuna.Trial, value: float, notes: Mapping[str, object]) -> None:
        """Close a trial with its value."""
        for name, note in notes.items():
            trial.set_user_attr(name, note)
        self._study.tell(trial, value)

    def fail(self, trial: optuna.Trial, reason: str) -> None:
        """Close a trial without a value."""
        trial.set_user_attr("reason", reason)
        self._study.tell(trial, state=TrialState.FAIL)


def grid(configurations: Sequence[Configuration]) -> dict[str, BaseDistribution]:
    """Categorical distributions over the values that the configurations take."""
    names = list(dict.fromkeys(name for configuration in configurations for name in configuration))
    return {
        name: CategoricalDistribution(list(dict.fromkeys(c[name] for c in configurations if name in c)))
        for name in names
    }
