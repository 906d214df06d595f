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

from ban_ray.search.distributions import of_configuration, of_parameters
from ban_ray.specs import derive_seed, digest
from ban_ray.specs.parameters import Configuration, Parameters, Value, applies, draw, vary

ASKED_AT_MOST = 5
"""Refused proposals in a row after which the last one is varied: a sampler that has found its best place asks for it
again and again, and each time takes longer."""
VARIED_AT_MOST = 100
"""Variations of so many parameters that are refused before one more is varied."""
DRAWN_AT_MOST = 10_000
"""Refused draws in a row after which the space counts as exhausted."""


class Proposer:
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
        refuse: Callable[[Configuration], str],
    ) -> None:
        """`refuse` says why a configuration may not be run, or an empty text; `identity` is the search's digest."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._parameters, self._refuse = parameters, refuse
        self._distributions = of_parameters(parameters)
        self._seed, self._name, self._samples = int(identity[:15], 16), sampler, samples
        self._study = optuna.create_study(directions=["minimize"] * targets)
        self._running: dict[str, optuna.Trial] = {}
        self._taken: set[str] = set()
        self.refused: dict[str, int] = {}

    def ask(self, number: int) -> Configuration | None:
        """The configuration that is the search's `number`-th; None where no further one was found."""
        for attempt in range(ASKED_AT_MOST):
            trial = self._ask(derive_seed(self._seed, "sampler", number, attempt))
            configuration = self._snapped(trial.params)
            if self._take(configuration):
                self._running[digest(configuration)] = trial
                return configuration
            self._study.tell(trial, state=TrialState.FAIL)
        chance = random.Random(derive_seed(self._seed, "draw", number))
        for drawn in self._others(configuration, chance):
            if self._take(drawn):
                self.started(drawn)
                return drawn
        return None

    def _others(self, configuration: Configuration, chance: random.Random) -> Iterator[Configuration]:
        """First near a configuration, then further and further away, then anywhere."""
        for count in range(1, len(self._parameters)):
            for _ in range(VARIED_AT_MOST):
                yield vary(self._parameters, configuration, count, chance)
        for _ in range(DRAWN_AT_MOST):
            yield draw(self._parameters, chance)

    def started(self, configuration: Configuration) -> None:
        """A configuration runs that was not asked for: one of an earlier start, or one drawn at random."""
        self._taken.add(digest(dict(configuration)))
        self._study.enqueue_trial(dict(configuration))
        self._running[digest(dict(configuration))] = self._ask(0)

    def finished(self, configuration: Configuration, values: Sequence[float]) -> None:
        """A configuration has its values."""
        self._close(configuration, TrialState.COMPLETE, values=values)

    def stopped(self, configuration: Configuration, intermediate: Mapping[int, float]) -> None:
        """A configuration was stopped, with its errors so far by step."""
        # Optuna refuses intermediate values in a study of several targets.
        several = len(self._study.directions) > 1
        self._close(configuration, TrialState.PRUNED, intermediate={} if several else intermediate)

    def failed(self, configuration: Configuration) -> None:
        """A configuration has no value."""
        self._close(configuration, TrialState.FAIL)

    def _ask(self, seed: int) -> optuna.Trial:
        self._study.sampler = self._sampler(seed % 2**32)
        with warnings.catch_warnings():
            # Optuna calls parts of its samplers experimental.
            warnings.simplefilter("ignore")
            trial = self._study.ask()
            known: dict[str, Value] = {}
            for name, parameter in self._parameters.items():
                if applies(parameter, known):
                    known[name] = parameter.snap(_suggest(trial, name, self._distributions[name]))
        return trial

    def _sampler(self, seed: int) -> BaseSampler:
        """A sampler without a past of its own, so that a search that was interrupted goes on as it would have."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self._name == "random":
                return RandomSampler(seed=seed)
            if self._name == "nsga2":
                return NSGAIISampler(population_size=self._population, seed=seed)
            if self._name == "gp":
                return GPSampler(seed=seed, n_startup_trials=self._startup)
            return TPESampler(seed=seed, n_startup_trials=self._startup, multivariate=True, group=True)

    @property
    def _startup(self) -> int:
        """Random configurations before the sampler's own: a third, and no more than Optuna's ten."""
        return max(2, min(10, self._samples // 3))

    @property
    def _population(self) -> int:
        """Of a generation of NSGA-II: some generations must fit in the samples."""
        return max(4, min(50, self._samples // 4))

    def _take(self, configuration: Configuration) -> bool:
        if digest(dict(configuration)) in self._taken:
            return False
        if reason := self._refuse(configuration):
            self.refused[reason] = self.refused.get(reason, 0) + 1
            return False
        self._taken.add(digest(dict(configuration)))
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
        self._taken.add(identity)
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

    def _snapped(self, values: Mapping[str, Value]) -> dict[str, Value]:
        return {name: self._parameters[name].snap(value) for name, value in values.items()}


def _suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Value:
    if isinstance(distribution, CategoricalDistribution):
        choice = trial.suggest_categorical(name, distribution.choices)
        assert isinstance(choice, int | float | str)
        return choice
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, distribution.low, distribution.high, step=distribution.step)
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
