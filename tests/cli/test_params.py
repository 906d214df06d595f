"""Options made from a model: groups, spellings, flags, ranges, and values that are refused in one short sentence."""

from typing import Annotated, Any, Literal

import click
import cloup
import pytest
from annotated_types import Ge, Le
from click.testing import CliRunner, Result
from pydantic import BaseModel, BeforeValidator, ConfigDict

from ban_ray.cli.params import Option, json_object, options_of, parse_bytes, parse_seeds, validated
from ban_ray.errors import UserError


class Oven(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    minutes: Annotated[int | None, Ge(1), Le(90), Option("Baking time.", "Heat", "N")] = None
    degrees: Annotated[float, Ge(0), Option("Temperature.", "Heat")] = 180.0
    mode: Annotated[Literal["top", "fan"], Option("How it is heated.", "Heat")] = "fan"
    seeds: Annotated[
        tuple[int, ...] | None, BeforeValidator(parse_seeds), Option("Sorts of seeds.", "Dough", "0,1")
    ] = None
    flour: Annotated[
        int | None, BeforeValidator(parse_bytes("--flour")), Option("Amount of flour.", "Dough", "SIZE")
    ] = None
    colour: Annotated[str | None, Option("Colour of the crust.", "Dough", aliases=("--color",))] = None
    steam: Annotated[bool | None, Option("With steam.", "Heat")] = None
    quiet: Annotated[bool, Option("Without a bell.", "Heat")] = False
    as_json: Annotated[bool, Option("Report in JSON.", "Report", flag="--json")] = False
    command: str = ""


def run(*arguments: str) -> Result:
    @cloup.command()
    @options_of(Oven)
    def bake(**given: Any) -> None:
        try:
            click.echo(validated(Oven, given).model_dump_json(exclude_unset=True))
        except UserError as error:
            raise click.ClickException(str(error)) from error

    return CliRunner().invoke(bake, arguments)


def oven(*arguments: str) -> Oven:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return Oven.model_validate_json(result.stdout)


def test_help_lists_options_by_group_in_the_models_order() -> None:
    lines = [line.strip() for line in run("--help").stdout.splitlines()]
    headings = [line for line in lines if line.endswith(":")]
    assert headings[:3] == ["Heat:", "Dough:", "Report:"]
    heat, dough, report = (lines.index(heading) for heading in headings[:3])
    assert [line.split()[0] for line in lines[heat + 1 : dough] if line.startswith("--")] == [
        *("--minutes", "--degrees", "--mode", "--steam", "--quiet")
    ]
    assert [line.split()[0].strip(",") for line in lines[dough + 1 : report] if line.startswith("--")] == [
        *("--seeds", "--flour", "--colour")
    ]
    text = " ".join(lines)
    assert "--minutes N" in text
    assert "--colour, --color" in text
    assert "--steam / --no-steam" in text
    assert "[default: 180.0" in text, "a default that is a value is shown"
    assert "None" not in text
    assert "command" not in text, "a field without an option"


def test_what_is_not_given_has_its_default() -> None:
    assert oven() == Oven()
    assert validated(Oven, {"minutes": None, "degrees": None, "mode": None, "as_json": None}) == Oven()


def test_each_kind_of_value_is_read() -> None:
    assert oven("--minutes", "30", "--degrees", "200.5", "--mode", "top", "--seeds", "3,1", "--flour", "2kB") == Oven(
        minutes=30, degrees=200.5, mode="top", seeds=(3, 1), flour=2000
    )


@pytest.mark.parametrize("spelling", ["--colour", "--color"])
def test_both_spellings_are_one_option(spelling: str) -> None:
    assert oven(spelling, "brown").colour == "brown"


@pytest.mark.parametrize(("arguments", "steam"), [((), None), (("--steam",), True), (("--no-steam",), False)])
def test_a_flag_without_a_default_is_on_off_or_not_given(arguments: tuple[str, ...], steam: bool | None) -> None:
    assert oven(*arguments).steam is steam


def test_a_flag_may_have_another_name_than_its_field() -> None:
    assert oven("--json", "--quiet") == Oven(as_json=True, quiet=True)
    assert run("--as-json").exit_code == 2
    assert run("--no-quiet").exit_code == 2


@pytest.mark.parametrize(
    ("option", "value", "of_click", "of_model"),
    [
        ("minutes", "0", "0 is not in the range 1<=x<=90", "--minutes 0: input should be greater than or equal to 1"),
        ("minutes", "91", "91 is not in the range", "--minutes 91: input should be less than or equal to 90"),
        ("degrees", "-1", "-1.0 is not in the range x>=0", "--degrees -1.0: input should be greater than or equal"),
        ("mode", "grill", "'grill' is not one of 'top', 'fan'", "--mode 'grill': input should be 'top' or 'fan'"),
        ("minutes", "soon", "'soon' is not a valid integer", "--minutes 'soon': input should be a valid integer"),
        ("degrees", "nan", "--degrees nan: input should be a finite number", "--degrees nan: input should be a finite"),
        ("seeds", "a", "--seeds 'a' is not a list of whole numbers", "--seeds 'a' is not a list of whole numbers"),
        ("flour", "much", "--flour 'much' is no size; 500MB, 2GiB", "--flour 'much' is no size; 500MB, 2GiB"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_command_and_call(
    option: str, value: str, of_click: str, of_model: str
) -> None:
    result = run(f"--{option}", value)
    assert result.exit_code != 0
    assert of_click in result.stderr
    assert "Traceback" not in result.output
    called: Any = value
    if option in ("minutes", "degrees") and value != "soon":
        called = float(value) if option == "degrees" else int(value)
    with pytest.raises(UserError) as raised:
        validated(Oven, {option: called})
    assert str(raised.value).startswith(of_model)
    assert "\n" not in str(raised.value)


def test_an_unknown_option_is_refused_with_the_allowed_ones() -> None:
    assert "No such option" in run("--salt", "3").stderr
    with pytest.raises(UserError, match=r"^unknown option 'salt'; allowed are minutes, degrees, mode, seeds,"):
        validated(Oven, {"minutes": 3, "salt": 1})


def test_sizes_are_bytes() -> None:
    parse = parse_bytes("--flour")
    assert [parse(value) for value in ("1kB", "1 KiB", "2GiB", "7", 7)] == [1000, 1024, 2 * 2**30, 7, 7]
    assert parse(None) is None


def test_an_object_is_read() -> None:
    assert json_object("--x", '{"width": 5, "deep": {"a": [1, null]}}') == {"width": 5, "deep": {"a": [1, None]}}
    assert json_object("--x", None) == json_object("--x", "") == json_object("--x", "{}") == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", r"^--x '{' is not JSON: Expecting property name"),
        ("9" * 5000, "is not JSON: Exceeds the limit"),
        ("[" * 100_000, r"^--x '\[\[\[\["),
        ("[1]", r"^--x '\[1\]' is no JSON object such as "),
        ("null", r"^--x 'null' is no JSON object such as "),
    ],
    ids=["cut", "digits", "deep", "list", "null"],
)
def test_anything_else_than_an_object_is_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        json_object("--x", text)
    assert len(str(caught.value)) < 400
