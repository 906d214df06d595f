"""The context that every worker of an execution shares: options reach it by their names."""

from typing import Annotated

import click
import cloup
import pytest
from click.testing import CliRunner

from ban_ray.cli.params import Option, options_of, validated
from ban_ray.population import Population
from ban_ray.runtime.messages import ExecutionContext
from ban_ray.search.config.options import EXECUTION, SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.run import execute
from ban_ray.storage.identity import storage_id

SHARED: dict[str, object] = {
    "command": "a command",
    "compile": True,
    "cpus_per_worker": 3,
    "cuda_graph": False,
    "deterministic": True,
    "recompute": True,
    "teacher_cache": 10**9,
}
"""Another value than the default for each option that workers read."""


class WarmOptions(SearchOptions):
    warm_up: Annotated[bool, Option("Run a step before the first epoch.", EXECUTION)] = False


class WarmContext(ExecutionContext):
    warm_up: bool = False


def test_every_option_that_workers_read_is_copied(population: Population) -> None:
    shared = SearchOptions.model_fields.keys() & ExecutionContext.model_fields.keys()
    assert shared == {*SHARED, "storage"}
    spec = resolve(SearchOptions.model_validate({"space": "densenet_grid", "storage": "typed", **SHARED}))
    context = execute.make_context(spec, population.storage.url, population, "s-1")
    assert {name: getattr(context, name) for name in SHARED} == SHARED
    assert all(ExecutionContext.model_fields[name].default != value for name, value in SHARED.items())
    assert context.storage == population.storage.url, "an absolute path or URL, not what was typed"
    assert context.storage_id == storage_id(population.storage)
    assert (context.data_source.name, context.execution_name) == ("digits", "s-1")


@pytest.mark.parametrize(("arguments", "warm_up"), [((), False), (("--warm-up",), True)])
def test_a_further_option_reaches_the_workers_by_its_name(
    population: Population, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], warm_up: bool
) -> None:
    monkeypatch.setattr(execute, "ExecutionContext", WarmContext)
    contexts: list[ExecutionContext] = []

    @cloup.command()
    @options_of(WarmOptions)
    def command(**given: object) -> None:
        spec = resolve(validated(WarmOptions, given))
        contexts.append(execute.make_context(spec, population.storage.url, population, "s-1"))

    assert isinstance(command, click.Command)
    result = CliRunner().invoke(command, ["--space", "densenet_grid", *arguments])
    assert result.exit_code == 0, result.output
    (context,) = contexts
    assert context == WarmContext.model_validate_json(context.model_dump_json())
    assert isinstance(context, WarmContext)
    assert context.warm_up is warm_up


@pytest.mark.parametrize(
    ("options", "precision"),
    [
        ({}, "fp32"),
        ({"settings": {"recipe.precision": "bf16"}}, "bf16"),
        ({"search": {"recipe.precision": "fp32,bf16"}}, "fp32"),
        ({"search": {"recipe.precision": "fp32,tf32"}}, "tf32"),
    ],
)
def test_a_group_is_checked_for_every_precision_that_is_searched(options: dict[str, object], precision: str) -> None:
    spec = resolve(SearchOptions.model_validate({"space": "densenet_search", **options}))
    assert execute.recipe_for_worker_resources(spec) == spec.context.recipe.model_copy(update={"precision": precision})
