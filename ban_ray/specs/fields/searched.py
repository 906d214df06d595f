"""A space with fields of the recipe and the objective as further parameters."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ban_ray.errors import UserError
from ban_ray.objectives import LOSSES
from ban_ray.specs.chain import Chain
from ban_ray.specs.fields.context import with_settings
from ban_ray.specs.fields.names import OBJECTIVE_NAME, TEACHER, find_field
from ban_ray.specs.fields.values import read_value
from ban_ray.specs.parameters import Choice, Configuration, Parameter, Parameters, Value
from ban_ray.specs.space import Scale, SearchSpace, SpaceContext, TablePosition

DEFAULT_SAMPLES = 12
"""Configurations of a list that `--search` makes a sampled space of; the spaces that are sampled have as many."""


def with_searched(space: SearchSpace, scale: Scale, searched: Parameters) -> tuple[SearchSpace, Scale]:
    """A space and its scale with further parameters, which change the context that the space makes chains in.

    Raises:
        UserError: the space is a list that is not the product of its parameters' values.
    """
    if not searched:
        return space, scale
    if OBJECTIVE_NAME in searched:
        searched = {OBJECTIVE_NAME: searched[OBJECTIVE_NAME], **_where_used(searched)}
    if TEACHER in searched and TEACHER in scale.parameters:
        raise UserError(f"--search {TEACHER} has no effect: space {space.name} samples it already")
    own = scale.parameters or _parameters_of_list(space, scale.configurations)
    return (
        replace(space, chain=partial(_chain, space, tuple(searched)), place=partial(_place, space, tuple(searched))),
        replace(scale, configurations=(), parameters={**own, **searched}, samples=scale.samples or DEFAULT_SAMPLES),
    )


def searched_values(names: Sequence[str], configuration: Configuration) -> dict[str, Any]:
    """The values of the fields that a configuration has, as the fields take them."""
    fields = [name for name in names if name in configuration and name != TEACHER]
    return {name: read_value(find_field(name), configuration[name]) for name in fields}


def _chain(
    space: SearchSpace, names: Sequence[str], configuration: Configuration, context: SpaceContext, seed: int
) -> Chain:
    changed = with_settings(context, searched_values(names, configuration))
    return space.chain(_without(configuration, names), changed, seed)


def _place(space: SearchSpace, names: Sequence[str], configuration: Configuration, chain: Chain) -> TablePosition:
    position = space.place(_without(configuration, names), chain)
    words = [f"{_label(name)} {_short(configuration[name])}" for name in names if name in configuration]
    return replace(position, row=" ".join([position.row, *words]), network=position.network or position.row)


def _without(configuration: Configuration, names: Sequence[str]) -> Configuration:
    return {name: value for name, value in configuration.items() if name not in names}


def _label(name: str) -> str:
    return name.removesuffix(".name").rpartition(".")[2].replace("_", " ")


def _short(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _where_used(searched: Parameters) -> dict[str, Parameter]:
    """The parameters after the objective's name; its weights exist for the objectives that use them."""
    names, conditional = searched[OBJECTIVE_NAME].listed() or (), {}
    for name, parameter in searched.items():
        root, _, field = name.partition(".")
        using = tuple(value for value in names if root != "objective" or field in LOSSES[str(value)].used_fields())
        if name != OBJECTIVE_NAME:
            if not using:
                raise UserError(f"--search {name} has no effect: none of {', '.join(map(str, names))} uses {field}")
            conditional[name] = (
                parameter if len(using) == len(names) else replace(parameter, when={OBJECTIVE_NAME: using})
            )
    return conditional


def _parameters_of_list(space: SearchSpace, configurations: Sequence[Configuration]) -> Parameters:
    names = list(configurations[0])
    values = {name: tuple(dict.fromkeys(c[name] for c in configurations if name in c)) for name in names}
    is_product = all(list(configuration) == names for configuration in configurations)
    if not is_product or math.prod(map(len, values.values())) != len(configurations):
        raise UserError(
            f"--search needs one configuration or every combination of the parameters' values, and space {space.name} "
            f"lists {len(configurations)} configurations of {', '.join(names)}; --only chooses among them"
        )
    return {name: Choice(listed) for name, listed in values.items()}
