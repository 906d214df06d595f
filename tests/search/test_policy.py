"""Ways through a space that cannot be gone: one sentence with the value and what is allowed."""

from typing import Any

import pytest

from ban_ray.errors import UserError
from ban_ray.evaluation.metrics import ERROR
from ban_ray.search.config.choices import Options
from ban_ray.search.config.spaces import load
from ban_ray.search.config.strategy import SearchStrategy, parse_duration, resolve_strategy

GRID, DENSE, WIDTHS, RECIPES = "densenet_grid", "densenet_search", "match_resnet_widths", "recipe_search"


def policy(space: str, protocol: str = "search", **given: Any) -> SearchStrategy:
    return resolve_strategy(Options(space, **given), space, load(space).scales["laptop"], protocol)


@pytest.mark.parametrize(
    ("space", "given", "told"),
    [
        (GRID, {"sampler": "tpe"}, "'tpe' needs parameters and space densenet_grid is a list of 4 configurations"),
        (GRID, {"samples": 3}, "--samples 3 is of no use with --sampler grid"),
        (GRID, {"sampler": "cma"}, "'cma' is unknown; allowed are grid, random, tpe, nsga2, gp"),
        (RECIPES, {"sampler": "grid"}, "temperature of space recipe_search is continuous; allowed are random"),
        (WIDTHS, {"sampler": "gp"}, "'gp' cannot model wide_units .* allowed are random, tpe, nsga2"),
        (RECIPES, {"sampler": "gp"}, "'gp' cannot model temperature"),
        (DENSE, {"samples": 0}, "--samples 0: at least 1"),
        (DENSE, {"minimise": "error,time"}, "--minimise 'error,time': error, alone or with parameters"),
        (DENSE, {"minimise": "parameters"}, "--minimise 'parameters'"),
        (DENSE, {"minimise": "error,error"}, "--minimise 'error,error'"),
        (DENSE, {"target": "test"}, "--target 'test' is unknown; allowed are last, best, ensemble"),
        (DENSE, {"patience": 1}, "--patience 1 is too small; at least 2 are needed"),
        (DENSE, {"patience": 3, "stopping": False}, "--patience 3 is of no use without --stopping"),
        (GRID, {"min_gain": 0.1}, "--min-gain 0.1 is of no use without --stopping"),
        (DENSE, {"min_gain": -1.0}, "--min-gain -1: points of held-out error from 0"),
        (DENSE, {"time_budget": "soon"}, "--time-budget 'soon' is no time above 0; seconds, or 30m, 2h, 1d"),
        (DENSE, {"time_budget": "0"}, "--time-budget '0'"),
        (DENSE, {"max_parameters": 0}, "--max-parameters 0: at least 1"),
        (DENSE, {"max_generations_trained": -2}, "--max-generations-trained -2: at least 1"),
    ],
)
def test_refused(space: str, given: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        policy(space, **given)


@pytest.mark.parametrize(
    ("space", "given", "told"),
    [
        (DENSE, {}, "allows only --sampler grid, not tpe"),
        (GRID, {"stopping": True}, "allows no --stopping"),
        (GRID, {"target": "best"}, "allows only --target last, not best"),
        (GRID, {"minimise": "error,parameters"}, "allows only --minimise error"),
    ],
)
def test_the_paper_protocol_allows_only_grids_without_stopping(space: str, given: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=f"--protocol 'paper' {told}"):
        policy(space, "paper", **given)
    assert policy(GRID, "paper") == SearchStrategy()


def test_defaults() -> None:
    assert policy(GRID) == SearchStrategy(sampler="grid", samples=None, stopping=False)
    assert policy(DENSE) == SearchStrategy(sampler="tpe", samples=12, stopping=True, patience=2, max_parameters=75_000)
    assert policy(DENSE, minimise="parameters,error").targets == ("error", "parameters")
    assert policy(GRID, stopping=True, patience=3).patience == 3
    assert policy(DENSE, sampler="grid", stopping=None).stopping is False
    assert "biased low" in policy(DENSE, target="best").error_description(ERROR)


def test_times() -> None:
    assert [parse_duration(text) for text in ("90", "90s", "30m", "1.5h", "1d")] == [90, 90, 1800, 5400, 86400]
