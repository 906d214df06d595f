"""Command-line options made from the fields of a pydantic model, and the types of their values."""

import json
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import annotated_types
import click
import cloup
from pydantic import BaseModel, ByteSize, JsonValue, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from ban_ray.errors import UserError

_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Option:
    """The command-line side of a model's field, given in its ``Annotated`` metadata.

    Attributes:
        help: one sentence.
        group: the heading under which ``--help`` lists the option.
        metavar: the value's name in ``--help``; by default click's own.
        aliases: further spellings, such as ``--minimize``.
        flag: the option's name where it is not the field's with dashes.
        repeated: whether it may be given several times; the field's validator gets all texts.
    """

    help: str
    group: str
    metavar: str | None = None
    aliases: tuple[str, ...] = ()
    flag: str | None = None
    repeated: bool = False

    def name(self, field: str) -> str:
        """The option of a field, e.g. ``--batch-size``."""
        return self.flag or option_name(field)


def option_name(field: str) -> str:
    """The option that a field has by default: ``batch_size`` is ``--batch-size``."""
    return "--" + field.replace("_", "-")


def option_of(field: FieldInfo) -> Option | None:
    """The option of a model's field, if it has one."""
    return next((item for item in field.metadata if isinstance(item, Option)), None)


def options_of(model: type[BaseModel]) -> Callable[[F], F]:
    """A decorator that gives a command one option for each field of a model that has an `Option`, group by group."""
    groups: dict[str, list[Any]] = {}
    for name, field in model.model_fields.items():
        if (option := option_of(field)) is not None:
            groups.setdefault(option.group, []).append(_click_option(name, field, option))

    def decorate(command: F) -> F:
        for title, options in reversed(groups.items()):
            command = cloup.option_group(title, *options)(command)
        return command

    return decorate


def validated(model: type[M], values: Mapping[str, Any]) -> M:
    """The model of some values; None stands for a field's default.

    Raises:
        UserError: a value or a combination of them is not allowed, or a name is unknown.
    """
    for name in values:
        if name not in model.model_fields:
            raise UserError(f"unknown option {name!r}; allowed are {', '.join(model.model_fields)}")
    try:
        return model.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        raise UserError(first_sentence(error, model)) from error


def first_sentence(error: ValidationError | ValueError, model: type[BaseModel] | None = None) -> str:
    """The first thing that a validation found wrong, with its value; a field of `model` is named as its option."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"] or message.startswith("--"):
        return message
    field, *inner = map(str, first["loc"])
    info = model.model_fields.get(field) if model is not None else None
    declared = option_of(info) if info is not None else None
    if declared is not None and declared.repeated and inner:
        option = f"{declared.name(field)} {inner[0]}"
    else:
        option = declared.name(field) if declared is not None else option_name(".".join([field, *inner]))
    return f"{option} {first['input']!r}: {message[0].lower()}{message[1:]}"


def json_object(option: str, text: str | None) -> dict[str, JsonValue]:
    """The JSON object that an option holds; an empty one where the option was not given.

    Raises:
        UserError: the text is no JSON, or other JSON than an object.
    """
    shown = (text or "")[:80]
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise UserError(f"{option} {shown!r} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UserError(f'{option} {shown!r} is no JSON object such as {{"width": 2}}')
    return value


def parse_seeds(value: object) -> object:
    """Whole numbers from a text such as ``0,1,2``; other values are left to the field's type."""
    if not isinstance(value, str):
        return value
    try:
        return tuple(int(part) for part in value.split(","))
    except ValueError:
        raise ValueError(f"--seeds {value!r} is not a list of whole numbers such as 0,1,2") from None


def parse_bytes(option: str) -> Callable[[object], object]:
    """A validator for sizes such as ``500MB`` and ``2GiB``, in bytes; None stays None."""

    def parse(value: object) -> object:
        if value is None:
            return None
        try:
            return int(TypeAdapter(ByteSize).validate_python(value))
        except ValidationError:
            raise ValueError(f"{option} {value!r} is no size; 500MB, 2GiB and the like are allowed") from None

    return parse


def parse_duration(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``30m``, ``2h`` or ``1d``.

    Raises:
        UserError: anything else, or 0.
    """
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)([smhd]?)", text)
    if match is None or not float(match[1]):
        raise UserError(f"--time-budget {text!r} is not a duration above 0; allowed are seconds, or 30m, 2h, 1d")
    return float(match[1]) * _UNITS_S[match[2]]


def check_trainings(option: str) -> Callable[[str | None], str | None]:
    """A validator for an amount of work such as ``12x``, that many trainings; None stays None."""

    def check(value: str | None) -> str | None:
        if value is not None and (not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?x", value) or float(value[:-1]) < 1):
            raise ValueError(f"{option} {value!r} is no number of trainings from 1x on; 12x and the like are allowed")
        return value

    return check


def _click_option(name: str, field: FieldInfo, option: Option) -> Any:
    flags = [option.name(name), *option.aliases]
    annotation, optional = _without_none(field.annotation)
    if annotation is bool:
        if optional:
            flags = [f"{flag}/--no-{flag.removeprefix('--')}" for flag in flags]
        elif field.default:
            return cloup.option(*flags, name, is_flag=True, flag_value=False, default=True, help=option.help)
        return cloup.option(*flags, name, is_flag=True, default=None if optional else False, help=option.help)
    shown = not (optional or field.is_required() or field.default == "" or option.repeated)
    return cloup.option(
        *flags,
        name,
        type=_click_type(annotation, field.metadata),
        default=field.default if shown else None,
        show_default=shown,
        multiple=option.repeated,
        metavar=option.metavar,
        help=option.help,
    )


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        others = [part for part in get_args(annotation) if part is not type(None)]
        return others[0], len(others) < len(get_args(annotation))
    return annotation, False


def _click_type(annotation: Any, metadata: list[Any]) -> "click.ParamType[Any]":
    if get_origin(annotation) is Literal:
        return click.Choice(list(get_args(annotation)))
    if annotation not in (int, float):
        return click.STRING
    if any(not isinstance(item, Option | annotated_types.Ge | annotated_types.Le) for item in metadata):
        # The field's own validator reads the text.
        return click.STRING
    least: Any = next((item.ge for item in metadata if isinstance(item, annotated_types.Ge)), None)
    most: Any = next((item.le for item in metadata if isinstance(item, annotated_types.Le)), None)
    if least is None and most is None:
        return click.INT if annotation is int else click.FLOAT
    return click.IntRange(least, most) if annotation is int else click.FloatRange(least, most)
