"""``--set`` and ``--search``: fields of recipe and objective, read and checked against the space and other options."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue, ValidationError

from ban_ray.cli.params import first_sentence, option_name
from ban_ray.cli.text import printable
from ban_ray.errors import UserError
from ban_ray.specs.canonical import normalise
from ban_ray.specs.chain import Chain
from ban_ray.specs.fields.context import value_in, with_settings
from ban_ray.specs.fields.names import TEACHER, find_field, is_chosen_by
from ban_ray.specs.fields.ranges import read_parameter
from ban_ray.specs.fields.searched import searched_values
from ban_ray.specs.fields.values import as_text, read_value
from ban_ray.specs.objective import Objective
from ban_ray.specs.parameters import Configuration, Parameters, values_text
from ban_ray.specs.space import SearchSpace, SpaceContext

ConfiguredChain = tuple[Configuration, Chain]
MakeKeys = Callable[[Configuration, SpaceContext], tuple[str, ...]]


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

    @property
    def in_words(self) -> str:
        """The fields that are set and searched; empty if there are none."""
        parts = {
            "set": [f"{name} {printable(as_text(normalise(value)))}" for name, value in self.settings.items()],
            "searched": [f"{name} {values_text(parameter)}" for name, parameter in self.searched.items()],
        }
        return "; ".join(f"{verb}: {', '.join(fields)}" for verb, fields in parts.items() if fields)

    def check_effect(
        self, space: str, context: SpaceContext, before: SpaceContext, chains: Sequence[ConfiguredChain], make: MakeKeys
    ) -> None:
        """Refuse a field that no chain of the space takes from its context.

        Args:
            context: the search's.
            before: the context in which nothing is set.
            chains: of the space, that stand for all of them.
            make: the keys of a configuration's chain in a context; raises UserError where there is no chain.

        Raises:
            UserError: the first such field.
        """
        for name, typed in self.typed.items():
            # Who teaches is not known yet, and the space has been asked whether it takes a teacher.
            if name == TEACHER or any(
                self._is_taken(name, context, configuration, chain) for configuration, chain in chains
            ):
                continue
            # A space may also train for a multiple of the epochs, say.
            if not any(self._changes(name, context, before, pair, make) for pair in _pairs(name, chains)):
                raise UserError(f"{typed} has no effect: no generation of space {space} takes its {name} from there")

    def _is_taken(self, name: str, context: SpaceContext, configuration: Configuration, chain: Chain) -> bool:
        """Whether a generation of a chain has the value that its context has."""
        if name in self.searched and name not in configuration:
            return False
        wanted = value_in(with_settings(context, searched_values(tuple(self.searched), configuration)), name)
        return any(value_in(generation, name) == wanted for generation in chain.generations)

    def _changes(
        self,
        name: str,
        context: SpaceContext,
        before: SpaceContext,
        pair: tuple[Configuration, Configuration],
        make: MakeKeys,
    ) -> bool:
        """Whether a chain is another one where the field has another value."""
        configuration, changed = pair
        other = context
        try:
            if name in self.settings:
                changed, other = configuration, with_settings(context, {name: value_in(before, name)})
            return make(configuration, context) != make(changed, other)
        except (ValueError, UserError):
            return False


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
            shown = f"{option} {printable(name)}={printable(as_text(text))}"
            try:
                if option == "--set":
                    settings[name] = read_value(find_field(name), text)
                else:
                    searched[name] = read_parameter(name, text)
            except UserError as error:
                raise UserError(f"{shown}: {error}") from error
            if name == TEACHER and not space.takes_teacher:
                raise UserError(f"{shown} has no effect: space {space.name} has its own teachers")
            if is_chosen_by(space, name):
                raise UserError(f"{shown} has no effect: space {space.name} chooses it")
            if name in typed:
                raise UserError(f"{shown} and {typed[name]}: a field is set or searched, not both")
            if name in given and (option == "--search" or settings[name] != given[name][1]):
                other, value = given[name]
                raise UserError(f"{shown} and {other}{'' if ' ' in other else f' {value}'} differ; give one of them")
            typed[name] = shown
    return Fields(settings, searched, typed)


def _pairs(name: str, chains: Sequence[ConfiguredChain]) -> Iterator[tuple[Configuration, Configuration]]:
    """Each configuration, and the same with a value that another one has of this name, if there is one."""
    for configuration, _ in chains:
        changed = dict(configuration)
        if name in configuration:
            values = (other[name] for other, _ in chains if name in other)
            changed[name] = next((value for value in values if value != configuration[name]), configuration[name])
        yield configuration, changed
