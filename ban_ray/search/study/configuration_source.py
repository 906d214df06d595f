"""Proposes the configurations of a search one by one, each new and valid.

A sampler works on a study in memory. Its rejected proposals (a repetition, a network above the limit) stay there; the
search's own study has only configurations that were run.
"""

import random
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from ban_ray.search.config.spec import SearchSpec, invalid_reason
from ban_ray.search.samplers import SAMPLERS
from ban_ray.search.study.distributions import distributions_of_configuration, distributions_of_parameters
from ban_ray.search.study.records import search_identity
from ban_ray.specs import derive_seed, digest
from ban_ray.specs.parameters import (
    Configuration,
    Parameters,
    Value,
    configuration_id,
    is_active,
    perturb,
    sample,
)

MAX_REJECTED_ASKS = 5
"""Rejected proposals in a row after which the last one is perturbed, since a converged sampler proposes the same
configuration again and again, more slowly each time."""
MAX_PERTURBATIONS = 100
"""Rejected perturbations of some number of parameters after which one more parameter is perturbed."""
MAX_RANDOM_DRAWS = 10_000
"""Rejected draws in a row after which the space counts as exhausted."""


class ConfigurationSource:
    """Proposes the configurations of a search, and learns from how they ended.

    Attributes:
        rejection_counts: number of rejected proposals by the reason.
    """

    def __init__(self) -> None:
        self.rejection_counts: Counter[str] = Counter()

    def ask(self, number: int) -> Configuration | None:
        """The search's configuration of this number, counted from 0; None if there are no more."""
        raise NotImplementedError

    def add_running(self, configuration: Configuration) -> None:
        """Add a running configuration that `ask` did not propose."""

    def tell(
        self,
        configuration: Configuration,
        state: TrialState,
        values: Sequence[float] | None = None,
        rung_errors: Mapping[int, float] | None = None,
    ) -> None:
        """Record that a configuration has ended, with values if complete and its errors so far by step if pruned."""


class ListedConfigurations(ConfigurationSource):
    """The configurations of a grid, proposed in order."""

    def __init__(self, configurations: Sequence[Configuration]) -> None:
        super().__init__()
        self._configurations = configurations

    def ask(self, number: int) -> Configuration | None:
        return self._configurations[number] if number < len(self._configurations) else None


class SampledConfigurations(ConfigurationSource):
    """Proposals of an Optuna sampler.

    The n-th proposal is a function of the search, of n and of the results so far, not of time or of restarts; with
    several chains at once, the results so far depend on which of them end first.

    Args:
        sampler: name of a registered sampler.
        identity_digest: the search's digest, from which all randomness follows.
        num_samples: configurations of the whole search.
        num_targets: number of values of a configuration.
        invalid_reason: returns why a configuration cannot be run; empty if it can.
    """

    def __init__(
        self,
        parameters: Parameters,
        sampler: str,
        *,
        identity_digest: str,
        num_samples: int,
        num_targets: int,
        invalid_reason: Callable[[Configuration], str],
    ) -> None:
        super().__init__()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._parameters, self._invalid_reason = parameters, invalid_reason
        self._distributions = distributions_of_parameters(parameters)
        self._seed, self._sampler, self._num_samples = int(identity_digest[:15], 16), SAMPLERS[sampler], num_samples
        self._study = optuna.create_study(directions=["minimize"] * num_targets)
        self._running: dict[str, optuna.Trial] = {}
        self._accepted: set[str] = set()

    def ask(self, number: int) -> Configuration | None:
        for attempt in range(MAX_REJECTED_ASKS):
            trial = self._ask(derive_seed(self._seed, "sampler", number, attempt))
            configuration = {name: self._parameters[name].canonical(value) for name, value in trial.params.items()}
            if self._accept(configuration):
                self._running[configuration_id(configuration)] = trial
                return configuration
            self._study.tell(trial, state=TrialState.FAIL)
        rng = random.Random(derive_seed(self._seed, "draw", number))
        for fallback in self._fallbacks(configuration, rng):
            if self._accept(fallback):
                self.add_running(fallback)
                return fallback
        return None

    def _fallbacks(self, configuration: Configuration, rng: random.Random) -> Iterator[Configuration]:
        """Yield perturbations of a configuration, of one parameter first and then of more, and random ones at last."""
        for count in range(1, len(self._parameters)):
            for _ in range(MAX_PERTURBATIONS):
                yield perturb(self._parameters, configuration, count, rng)
        for _ in range(MAX_RANDOM_DRAWS):
            yield sample(self._parameters, rng)

    def add_running(self, configuration: Configuration) -> None:
        self._accepted.add(configuration_id(configuration))
        self._study.enqueue_trial(dict(configuration))
        self._running[configuration_id(configuration)] = self._ask(0)

    def tell(
        self,
        configuration: Configuration,
        state: TrialState,
        values: Sequence[float] | None = None,
        rung_errors: Mapping[int, float] | None = None,
    ) -> None:
        # Optuna refuses intermediate values in a study of several targets.
        is_pruned = state == TrialState.PRUNED and len(self._study.directions) == 1
        intermediate_values = dict(rung_errors or {}) if is_pruned else {}
        identifier = configuration_id(configuration)
        self._accepted.add(identifier)
        trial = self._running.pop(identifier, None)
        if trial is not None:
            for step, value in intermediate_values.items():
                trial.report(value, step)
            self._study.tell(trial, values, state=state)
            return
        self._study.add_trial(
            create_trial(
                state=state,
                values=None if values is None else list(values),
                params=dict(configuration),
                distributions=distributions_of_configuration(configuration, self._distributions),
                system_attrs=self._sampler.system_attrs(),
                intermediate_values=intermediate_values,
            )
        )

    def _ask(self, seed: int) -> optuna.Trial:
        with warnings.catch_warnings():
            # Some options of Optuna's samplers are experimental.
            warnings.simplefilter("ignore")
            self._study.sampler = self._sampler.optuna_sampler(seed % 2**32, self._num_samples)
            trial = self._study.ask()
            values: dict[str, Value] = {}
            for name, parameter in self._parameters.items():
                if is_active(parameter, values):
                    values[name] = parameter.canonical(_suggest(trial, name, self._distributions[name]))
        return trial

    def _accept(self, configuration: Configuration) -> bool:
        if configuration_id(configuration) in self._accepted:
            return False
        if reason := self._invalid_reason(configuration):
            self.rejection_counts[reason] += 1
            return False
        self._accepted.add(configuration_id(configuration))
        return True


def make_configuration_source(spec: SearchSpec) -> ConfigurationSource:
    """The configurations of a grid, or those of its sampler."""
    if not spec.is_sampled:
        configurations = {configuration_id(planned.configuration): planned.configuration for planned in spec.chains}
        return ListedConfigurations(list(configurations.values()))
    return SampledConfigurations(
        spec.scale.parameters,
        spec.strategy.sampler,
        identity_digest=digest(search_identity(spec)),
        num_samples=spec.strategy.num_samples or spec.scale.samples,
        num_targets=len(spec.strategy.target_names),
        invalid_reason=lambda configuration: invalid_reason(spec, configuration),
    )


def _suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Value:
    if isinstance(distribution, CategoricalDistribution):
        choice = trial.suggest_categorical(name, distribution.choices)
        assert isinstance(choice, int | float | str)
        return choice
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(
            name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
