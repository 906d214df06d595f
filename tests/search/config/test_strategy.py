"""The strategy of a search: its defaults, and choices that are refused in one sentence with what is allowed."""

from typing import Any

import pytest

from ban_ray.cli.params import parse_duration, validated
from ban_ray.errors import UserError
from ban_ray.evaluation.metrics import ERROR
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.spaces import load
from ban_ray.search.config.strategy import SearchStrategy, resolve_strategy
from ban_ray.search.samplers import SAMPLERS, Sampler

GRID, DENSE, WIDTHS, RECIPES = "densenet_grid", "densenet_search", "match_resnet_widths", "recipe_search"


def strategy_of(space: str, protocol: str = "search", **options: Any) -> SearchStrategy:
    return resolve_strategy(
        validated(SearchOptions, {"space": space, **options}), space, load(space).scales["laptop"], protocol
    )


@pytest.mark.parametrize(
    ("space", "options", "reason"),
    [
        (GRID, {"sampler": "tpe"}, "'tpe' needs parameters and space densenet_grid is a list of 4 configurations"),
        (GRID, {"samples": 3}, "--samples 3 has no effect with --sampler grid"),
        (GRID, {"sampler": "cma"}, "'cma' is unknown; allowed are gp, grid, nsga2, random, tpe"),
        (
            RECIPES,
            {"sampler": "grid"},
            "temperature of space recipe_search is continuous; allowed are gp, nsga2, random, tpe",
        ),
        (WIDTHS, {"sampler": "gp"}, "'gp' does not support .* wide_units .* allowed are nsga2, random, tpe"),
        (RECIPES, {"sampler": "gp"}, "'gp' does not support conditional parameters, such as temperature"),
        (DENSE, {"samples": 0}, "--samples 0: input should be greater than or equal to 1"),
        (DENSE, {"minimise": "error,time"}, "--minimise 'error,time' is not allowed; give error, optionally"),
        (DENSE, {"minimise": "parameters"}, "--minimise 'parameters'"),
        (DENSE, {"minimise": "error,error"}, "--minimise 'error,error'"),
        (DENSE, {"target": "test"}, "--target 'test' is unknown; allowed are last, best, ensemble"),
        (DENSE, {"patience": 1}, "--patience 1 is too small; at least 2 are needed"),
        (DENSE, {"patience": 3, "stopping": False}, "--patience 3 has no effect without --stopping"),
        (GRID, {"min_gain": 0.1}, "--min-gain 0.1 has no effect without --stopping"),
        (DENSE, {"min_gain": -1.0}, "--min-gain -1.0: input should be greater than or equal to 0"),
        (
            DENSE,
            {"time_budget": "soon"},
            "--time-budget 'soon' is not a duration above 0; allowed are seconds, or 30m, 2h, 1d",
        ),
        (DENSE, {"time_budget": "0"}, "--time-budget '0'"),
        (DENSE, {"max_parameters": 0}, "--max-parameters 0: input should be greater than or equal to 1"),
        (
            DENSE,
            {"max_generations_trained": -2},
            "--max-generations-trained -2: input should be greater than or equal to 1",
        ),
    ],
)
def test_a_choice_that_cannot_be_used_is_refused(space: str, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        strategy_of(space, **options)


@pytest.mark.parametrize(
    ("space", "options", "reason"),
    [
        (DENSE, {}, "allows only --sampler grid, not tpe"),
        (GRID, {"stopping": True}, "allows no --stopping"),
        (GRID, {"target": "best"}, "allows only --target last, not best"),
        (GRID, {"minimise": "error,parameters"}, "allows only --minimise error"),
    ],
)
def test_the_paper_protocol_allows_only_grids_without_stopping(
    space: str, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UserError, match=f"--protocol 'paper' {reason}"):
        strategy_of(space, "paper", **options)
    assert strategy_of(GRID, "paper") == SearchStrategy()


def test_defaults() -> None:
    assert strategy_of(GRID) == SearchStrategy(sampler="grid", num_samples=None, stopping=False)
    assert strategy_of(DENSE) == SearchStrategy(
        sampler="tpe", num_samples=12, stopping=True, patience=2, max_parameters=75_000
    )
    assert strategy_of(DENSE, minimise="parameters,error").target_names == ("error", "parameters")
    assert strategy_of(GRID, stopping=True, patience=3).patience == 3
    assert strategy_of(DENSE, sampler="grid", stopping=None).stopping is False
    assert "biased low" in strategy_of(DENSE, target="best").error_description(ERROR)


def test_durations() -> None:
    assert [parse_duration(text) for text in ("90", "90s", "30m", "1.5h", "1d")] == [90, 90, 1800, 5400, 86400]


def test_a_further_sampler_that_lists_is_treated_as_a_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reversed(Sampler):
        name = "reversed"
        is_exhaustive = True

    monkeypatch.setitem(SAMPLERS, Reversed.name, Reversed)
    strategy = strategy_of(DENSE, sampler="reversed")
    assert not strategy.is_sampled and not strategy.stopping and strategy.num_samples is None
    assert not strategy_of(DENSE, "paper", sampler="reversed").stopping
    with pytest.raises(UserError, match="--samples 3 has no effect with --sampler reversed"):
        strategy_of(DENSE, sampler="reversed", samples=3)
