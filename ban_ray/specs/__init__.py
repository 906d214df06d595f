"""Specifications of training: frozen, validated values with a JSON form, whose hashes are the population's keys."""

from typing import Any

from ban_ray.specs.canonical import canonical_json, digest
from ban_ray.specs.chain import Chain, born_again, label_only
from ban_ray.specs.controls import (
    ALL_EPOCHS,
    ALL_EPOCHS_STOPPED,
    BASELINE_ALONE,
    BETA,
    DOUBLED,
    EARLY_STOPPED,
    EMA,
    ENSEMBLE_DISTILLED,
    SELF_EMA,
    SMOOTHED,
    SWA,
    TUNED_RECIPES,
    TUNED_SMOOTHING,
    VIRTUAL,
    Budget,
    control,
    independent,
    is_affordable,
)
from ban_ray.specs.generation import SEMANTICS_VERSION, Generation
from ban_ray.specs.objective import OBJECTIVES, Objective
from ban_ray.specs.parameters import Choice, FloatRange, IntRange
from ban_ray.specs.presets import CNN_LSTM, LAPTOP_LSTM, LSTM, noisy_digits, noisy_digits_sampled, papers, papers_recipe
from ban_ray.specs.recipe import Recipe
from ban_ray.specs.seeds import derive_seed
from ban_ray.specs.space import (
    BASELINE,
    TEACHER,
    Network,
    PaperRow,
    Scale,
    SearchSpace,
    SpaceContext,
    TablePosition,
    sequence,
)
from ban_ray.specs.task import Task

__all__ = [
    "ALL_EPOCHS",
    "ALL_EPOCHS_STOPPED",
    "BASELINE",
    "BASELINE_ALONE",
    "BETA",
    "CNN_LSTM",
    "DOUBLED",
    "EARLY_STOPPED",
    "EMA",
    "ENSEMBLE_DISTILLED",
    "LAPTOP_LSTM",
    "LSTM",
    "OBJECTIVES",
    "SELF_EMA",
    "SEMANTICS_VERSION",
    "SMOOTHED",
    "SWA",
    "TEACHER",
    "TUNED_RECIPES",
    "TUNED_SMOOTHING",
    "VIRTUAL",
    "Budget",
    "Chain",
    "Choice",
    "FloatRange",
    "Generation",
    "IntRange",
    "Network",
    "Objective",
    "PaperRow",
    "Recipe",
    "Scale",
    "SearchSpace",
    "SpaceContext",
    "TablePosition",
    "Task",
    "born_again",
    "canonical_json",
    "control",
    "derive_seed",
    "digest",
    "independent",
    "is_affordable",
    "label_only",
    "noisy_digits",
    "noisy_digits_sampled",
    "papers",
    "papers_recipe",
    "sequence",
]

_FORMER_NAMES = {"Place": "TablePosition", "Setting": "SpaceContext"}


def __getattr__(name: str) -> Any:
    """Names that space files written for earlier versions import."""
    if name not in _FORMER_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals()[_FORMER_NAMES[name]]
