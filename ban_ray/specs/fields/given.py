"""``--set`` and ``--search``: fields of recipe and objective, read and checked against the space and other options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue, ValidationError

from ban_ray.cli.params import first_sentence, option_name
from ban_ray.cli.text import printable
from ban_ray.errors import UserError
from ban_ray.specs.chain import Chain
from ban_ray.specs.fields.context import value_in, with_settings
from ban_ray.specs.fields.names import find_field, is_chosen_by
from ban_ray.specs.fields.ranges import read_parameter
from ban_ray.specs.fields.searched import searched_values
from ban_ray.specs.fields.values import as_text, read_value
from ban_ray.specs.objective import Objective
from ban_ray.specs.parameters import Configuration, Parameters
from ban_ray.specs.space import SearchSpace, SpaceContext


@dataclass(frozen=True)
class Fields:
    """The fields that a search sets, and those that it samples.

    Attributes:
        settings: values by name.
        typed: both as on the command line, by name.
    """

    settings: Mapping[str, Any]
    searched: Parameters
    typed: Mapping[str, str]

    def apply_to(self, context: SpaceContext, recipe_changes: Mapping[str, Any]) -> SpaceContext:
        """The context with what options of their own and ``--set`` say.

        Raises:
            UserError: values that are not allowed beside each other.
        """
        given = {f"recipe.{field}": value for field, value in recipe_changes.items()}
        try:
            return with_settings(context, {**given, **self.settings})
        except ValidationError as error:
            model = error.title.lower()
            typed = " ".join(text for name, text in self.typed.items() if name.startswith(f"{model}."))
            raise UserError(f"{typed}: {first_sentence(error)}" if typed else first_sentence(error)) from error

    def check_effect(self, context: SpaceContext, chains: Sequence[tuple[Configuration, Chain]], space: str) -> None:
        """Refuse a field that no generation of these chains takes from the context.

        Raises:
            UserError: the first such field.
        """
        without_effect = dict(self.typed)
        for configuration, chain in chains if without_effect else ():
            values = searched_values(tuple(self.searched), configuration)
            configured = with_settings(context, values)
            for name in [name for name in without_effect if name in self.settings or name in values]:
                wanted = value_in(configured, name)
                if any(value_in(generation, name) == wanted for generation in chain.generations):
                    del without_effect[name]
        for name, typed in without_effect.items():
            raise UserError(f"{typed} has no effect: no generation of space {space} takes its {name} from there")


def read_fields(
    to_set: Mapping[str, JsonValue],
    to_search: Mapping[str, JsonValue],
    space: SearchSpace,
    recipe_changes: Mapping[str, Any],
    objective: Objective | None,
) -> Fields:
    """Read both options.

    Args:
        to_set: of ``--set``, by name.
        to_search: of ``--search``, by name.
        recipe_changes: fields of the recipe that options of their own set.
        objective: of ``--objective``.

    Raises:
        UserError: an unknown field, a value that it does not take, a field that the space chooses, or one that is
            given twice.
    """
    given = {f"recipe.{field}": (option_name(field), value) for field, value in recipe_changes.items()}
    if objective is not None:
        fields = {field: getattr(objective, field) for field in objective.model_fields_set}
        given |= {f"objective.{field}": (f"--objective {objective}", value) for field, value in fields.items()}
    settings: dict[str, Any] = {}
    searched: dict[str, Any] = {}
    typed: dict[str, str] = {}
    for option, values in (("--set", to_set), ("--search", to_search)):
        for name, text in values.items():
            shown = printable(f"{option} {name}={as_text(text)}")
            try:
                if option == "--set":
                    settings[name] = read_value(find_field(name), text)
                else:
                    searched[name] = read_parameter(name, text)
            except UserError as error:
                raise UserError(f"{shown}: {error}") from error
            if is_chosen_by(space, name):
                raise UserError(f"{shown} has no effect: space {space.name} chooses it")
            if name in typed:
                raise UserError(f"{shown} and {typed[name]}: a field is set or searched, not both")
            if name in given and (option == "--search" or settings[name] != given[name][1]):
                other, value = given[name]
                raise UserError(f"{shown} and {other}{'' if ' ' in other else f' {value}'} differ; give one of them")
            typed[name] = shown
    return Fields(settings, searched, typed)
