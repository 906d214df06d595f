"""The strategy of a search: sampler, targets, stopping and budgets, checked before anything starts."""

from dataclasses import dataclass

from ban_ray.cli.params import parse_duration
from ban_ray.errors import UserError
from ban_ray.evaluation.metrics import Metric
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.samplers import SAMPLERS
from ban_ray.specs import Scale
from ban_ray.specs.parameters import conditional, continuous

SELECT_BY = {"last": "the last generation", "best": "the best generation", "ensemble": "the ensemble of generations"}
"""Values of ``--target``: the generations whose error is used as the error of a chain."""
ERROR_TARGET, PARAMETERS_TARGET, MULTIPLY_ACCUMULATES_TARGET = "error", "parameters", "multiply-accumulates"
TARGETS = (ERROR_TARGET, PARAMETERS_TARGET, MULTIPLY_ACCUMULATES_TARGET)
DEFAULT_PATIENCE = 2
"""Generations; DenseNet-80-80 gains 0.80 points in its third after none in its second (workshop Table 1)."""


@dataclass(frozen=True)
class SearchStrategy:
    """The sampler, targets, stopping and budgets of a search.

    Attributes:
        num_samples: number of configurations of the whole search; None for a grid, which has its own.
        target_names: names of what is minimised, the error first.
        select_by: the value of ``--target``: a chain's error is that of its last generation, the lowest of all (a
            biased minimum), or that of the ensemble of its born-again generations.
        patience: generations without a gain after which a chain is saturated; with `stopping` only.
        min_gain: points of held-out error that count as a gain.
        max_parameters: limit on the parameters of each network.
    """

    sampler: str = "grid"
    num_samples: int | None = None
    target_names: tuple[str, ...] = (ERROR_TARGET,)
    select_by: str = "last"
    stopping: bool = False
    patience: int = DEFAULT_PATIENCE
    min_gain: float = 0.0
    time_budget_s: float | None = None
    max_parameters: int | None = None
    max_generations_trained: int | None = None

    @property
    def is_sampled(self) -> bool:
        """Whether configurations are sampled, not listed."""
        return not SAMPLERS[self.sampler].is_exhaustive

    def error_description(self, metric: Metric) -> str:
        """The error target in words."""
        biased = " (a minimum over generations, biased low)" if self.select_by == "best" else ""
        return f"held-out {metric.heading}, of {SELECT_BY[self.select_by]}{biased}"


def resolve_strategy(options: SearchOptions, space: str, scale: Scale, protocol: str) -> SearchStrategy:
    """Check the options against the space.

    Raises:
        UserError: the first option that cannot be used.
    """
    sampler = _sampler(options, space, scale)
    samples = _samples(options, sampler, scale)
    targets = _target_names(options.minimise)
    select_by = options.target or "last"
    if select_by not in SELECT_BY:
        raise UserError(f"--target {select_by!r} is unknown; allowed are {', '.join(SELECT_BY)}")
    is_sampled = not SAMPLERS[sampler].is_exhaustive
    stopping = options.stopping if options.stopping is not None else is_sampled and protocol != "paper"
    if protocol == "paper":
        _check_paper_protocol(sampler, stopping, select_by, targets)
    for option, value in (("--patience", options.patience), ("--min-gain", options.min_gain)):
        if value is not None and not stopping:
            raise UserError(f"{option} {value:g} has no effect without --stopping")
    if options.patience is not None and options.patience < 2:
        raise UserError(
            f"--patience {options.patience} is too small; at least 2 are needed, since chains gain again after one "
            "generation without a gain (workshop Table 1, DenseNet-80-80)"
        )
    return SearchStrategy(
        sampler=sampler,
        num_samples=samples,
        target_names=targets,
        select_by=select_by,
        stopping=stopping,
        patience=options.patience or DEFAULT_PATIENCE,
        min_gain=options.min_gain or 0.0,
        time_budget_s=None if options.time_budget is None else parse_duration(options.time_budget),
        max_parameters=options.max_parameters or scale.max_parameters,
        max_generations_trained=options.max_generations_trained,
    )


def _sampler(options: SearchOptions, space: str, scale: Scale) -> str:
    name = options.sampler or ("tpe" if scale.parameters else "grid")
    if name not in SAMPLERS:
        raise UserError(f"--sampler {name!r} is unknown; allowed are {', '.join(SAMPLERS)}")
    sampler = SAMPLERS[name]
    if not sampler.is_exhaustive and not scale.parameters:
        raise UserError(
            f"--sampler {name!r} needs parameters and space {space} is a list of {len(scale.configurations)} "
            "configurations; only grid is allowed"
        )
    if sampler.is_exhaustive and (unlisted := continuous(scale.parameters)):
        allowed = [other.name for other in SAMPLERS.values() if not other.is_exhaustive]
        raise UserError(
            f"--sampler {name!r} needs parameters with a list of values and {unlisted[0]} of space {space} is "
            f"continuous; allowed are {', '.join(allowed)}"
        )
    if not sampler.supports_conditional_parameters and conditional(scale.parameters):
        names = [parameter for parameter, values in scale.parameters.items() if values.when]
        allowed = [s.name for s in SAMPLERS.values() if s.supports_conditional_parameters and not s.is_exhaustive]
        raise UserError(
            f"--sampler {name!r} does not support conditional parameters, such as {names[0]} of space {space}; "
            f"allowed are {', '.join(allowed)}"
        )
    return name


def _samples(options: SearchOptions, sampler: str, scale: Scale) -> int | None:
    if SAMPLERS[sampler].is_exhaustive:
        if options.samples is not None:
            raise UserError(
                f"--samples {options.samples} has no effect with --sampler {sampler}, which runs every configuration"
            )
        return None
    return options.samples or scale.samples


def _target_names(text: str | None) -> tuple[str, ...]:
    if text is None:
        return (ERROR_TARGET,)
    names = tuple(part.strip() for part in text.split(","))
    if not set(names) <= set(TARGETS) or len(set(names)) < len(names) or ERROR_TARGET not in names:
        raise UserError(
            f"--minimise {text!r} is not allowed; give {ERROR_TARGET}, optionally with {' and '.join(TARGETS[1:])}, "
            "separated by commas"
        )
    return (ERROR_TARGET, *(name for name in TARGETS[1:] if name in names))


def _check_paper_protocol(sampler: str, stopping: bool, select_by: str, targets: tuple[str, ...]) -> None:
    """Refuse whatever selects by held-out data: the paper protocol has none."""
    refused = {
        f"only --sampler grid, not {sampler}: it holds no data out to select on": not SAMPLERS[sampler].is_exhaustive,
        "no --stopping: it holds no data out to compare chains on": stopping,
        f"only --target last, not {select_by}: it holds no data out": select_by != "last",
        f"only --minimise error, not {','.join(targets)}: it selects nothing": targets != (ERROR_TARGET,),
    }
    for rule, is_broken in refused.items():
        if is_broken:
            raise UserError(f"--protocol 'paper' allows {rule}")
