"""Configurations that a sampler proposes, each new, none of them too large.

The sampler works on a study in memory. What it proposes and is refused (a repetition, a network above the limit) stays
there; the search's own study only holds what was run.
"""

import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState, create_trial

from ban_ray.search.study.distributions import of_configuration, of_parameters
from ban_ray.specs import derive_seed, digest
from ban_ray.specs.parameters import Configuration, Parameters, Value, is_active, perturb, sample

MAX_REJECTED_ASKS = 5
"""Refused proposals in a row after which the last one is varied: a sampler that has found its best place asks for it
again and again, and each time takes longer."""
MAX_PERTURBATIONS = 100
"""Variations of so many parameters that are refused before one more is varied."""
MAX_RANDOM_DRAWS = 10_000
"""Refused draws in a row after which the space counts as exhausted."""


class ConfigurationSampler:
    """Asks a sampler for configurations and tells it how they ended.

    The n-th proposal is a function of the search, of n and of what was told before, not of time or of restarts; with
    several chains at once, what was told before depends on which of them end first.
    """

    def __init__(
        self,
        parameters: Parameters,
        sampler: str,
        *,
        identity: str,
        samples: int,
        targets: int,
        invalid_reason: Callable[[Configuration], str],
    ) -> None:
        """`refuse` says why a configuration may not be run, or an empty text; `identity` is the search's digest."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._parameters, self._invalid_reason = parameters, invalid_reason
        self._distributions = of_parameters(parameters)
        self._seed, self._name, self._samples = int(identity[:15], 16), sampler, samples
        self._study = optuna.create_study(directions=["minimize"] * targets)
        self._running: dict[str, optuna.Trial] = {}
        self._accepted: set[str] = set()
        self.rejected: dict[str, int] = {}

    def ask(self, number: int) -> Configuration | None:
        """The configuration that is the search's `number`-th; None where no further one was found."""
        for attempt in range(MAX_REJECTED_ASKS):
            trial = self._ask(derive_seed(self._seed, "sampler", number, attempt))
            configuration = self._canonical(trial.params)
            if self._accept(configuration):
                self._running[digest(configuration)] = trial
                return configuration
            self._study.tell(trial, state=TrialState.FAIL)
        rng = random.Random(derive_seed(self._seed, "draw", number))
        for fallback in self._fallbacks(configuration, rng):
            if self._accept(fallback):
                self.tell_started(fallback)
                return fallback
        return None

    def _fallbacks(self, configuration: Configuration, rng: random.Random) -> Iterator[Configuration]:
        """First near a configuration, then further and further away, then anywhere."""
        for count in range(1, len(self._parameters)):
            for _ in range(MAX_PERTURBATIONS):
                yield perturb(self._parameters, configuration, count, rng)
        for _ in range(MAX_RANDOM_DRAWS):
            yield sample(self._parameters, rng)

    def tell_started(self, configuration: Configuration) -> None:
        """A configuration runs that was not asked for: one of an earlier start, or one drawn at random."""
        self._accepted.add(digest(dict(configuration)))
        self._study.enqueue_trial(dict(configuration))
        self._running[digest(dict(configuration))] = self._ask(0)

    def tell_complete(self, configuration: Configuration, values: Sequence[float]) -> None:
        """A configuration has its values."""
        self._close(configuration, TrialState.COMPLETE, values=values)

    def tell_pruned(self, configuration: Configuration, intermediate: Mapping[int, float]) -> None:
        """A configuration was stopped, with its errors so far by step."""
        # Optuna refuses intermediate values in a study of several targets.
        several = len(self._study.directions) > 1
        self._close(configuration, TrialState.PRUNED, intermediate={} if several else intermediate)

    def tell_failed(self, configuration: Configuration) -> None:
        """A configuration has no value."""
        self._close(configuration, TrialState.FAIL)

    def _ask(self, seed: int) -> optuna.Trial:
        self._study.sampler = self._sampler(seed % 2**32)
        with warnings.catch_warnings():
            # Optuna calls parts of its samplers experimental.
            warnings.simplefilter("ignore")
            trial = self._study.ask()
            values: dict[str, Value] = {}
            for name, parameter in self._parameters.items():
                if is_active(parameter, values):
                    values[name] = parameter.canonical(_suggest(trial, name, self._distributions[name]))
        return trial

    def _sampler(self, seed: int) -> BaseSampler:
        """A sampler without a past of its own, so that a search that was interrupted goes on as it would have."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self._name == "random":
                return RandomSampler(seed=seed)
            if self._name == "nsga2":
                return NSGAIISampler(population_size=self._population_size, seed=seed)
            if self._name == "gp":
                return GPSampler(seed=seed, n_startup_trials=self._num_startup_trials)
            return TPESampler(seed=seed, n_startup_trials=self._num_startup_trials, multivariate=True, group=True)

    @property
    def _num_startup_trials(self) -> int:
        """Random configurations before the sampler's own: a third, and no more than Optuna's ten."""
        return max(2, min(10, self._samples // 3))

    @property
    def _population_size(self) -> int:
        """Of a generation of NSGA-II: some generations must fit in the samples."""
        return max(4, min(50, self._samples // 4))

    def _accept(self, configuration: Configuration) -> bool:
        if digest(dict(configuration)) in self._accepted:
            return False
        if reason := self._invalid_reason(configuration):
            self.rejected[reason] = self.rejected.get(reason, 0) + 1
            return False
        self._accepted.add(digest(dict(configuration)))
        return True

    def _close(
        self,
        configuration: Configuration,
        state: TrialState,
        *,
        values: Sequence[float] | None = None,
        intermediate: Mapping[int, float] | None = None,
    ) -> None:
        identity = digest(dict(configuration))
        self._accepted.add(identity)
        trial = self._running.pop(identity, None)
        if trial is not None:
            for step, value in (intermediate or {}).items():
                trial.report(value, step)
            self._study.tell(trial, values, state=state)
            return
        self._study.add_trial(
            create_trial(
                state=state,
                values=None if values is None else list(values),
                params=dict(configuration),
                distributions=of_configuration(configuration, self._distributions),
                # NSGA-II only sees members of its own generations.
                system_attrs={"NSGAIISampler:generation": 0} if self._name == "nsga2" else {},
                intermediate_values=dict(intermediate or {}),
            )
        )

    def _canonical(self, values: Mapping[str, Value]) -> dict[str, Value]:
        return {name: self._parameters[name].canonical(value) for name, value in values.items()}


def _suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Value:
    if isinstance(distribution, CategoricalDistribution):
        choice = trial.suggest_categorical(name, distribution.choices)
        assert isinstance(choice, int | float | str)
        return choice
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, distribution.low, distribution.high, step=distribution.step)
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
