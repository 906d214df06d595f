"""Options as TOML: names, tables, and values that come back as they were."""

from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, JsonValue

from ban_ray.cli.params import Option
from ban_ray.cli.toml import read_options, write_options
from ban_ray.errors import UserError


class Options(BaseModel):
    space: Annotated[str, Option("A.", "")] = ""
    batch_size: Annotated[int, Option("B.", "")] = 1
    fast: Annotated[bool, Option("C.", "", flag="--no-fast")] = True
    stopping: Annotated[bool | None, Option("D.", "")] = None
    minimise: Annotated[str, Option("E.", "", aliases=("--minimize",))] = ""
    seeds: Annotated[tuple[int, ...], Option("F.", "")] = ()
    arguments: Annotated[dict[str, JsonValue], Option("G.", "")] = Field(default_factory=dict)
    settings: Annotated[dict[str, JsonValue], Option("H.", "", flag="--set", repeated=True)] = Field(
        default_factory=dict
    )
    command: str = ""


def read(folder: Path, text: str) -> dict[str, Any]:
    (folder / "a.toml").write_text(text, encoding="utf-8")
    return read_options(str(folder / "a.toml"), Options)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("batch-size = 3", {"batch_size": 3}),
        ("batch_size = 3", {"batch_size": 3}),
        ("no-fast = true", {"fast": False}),
        ("fast = false", {"fast": False}),
        ("no-stopping = true", {"stopping": False}),
        ("minimize = 'error'", {"minimise": "error"}),
        ("[set]\na.b = 1", {"settings": {"a": {"b": 1}}}),
    ],
)
def test_names_are_those_of_the_command_line(tmp_path: Path, text: str, values: dict[str, Any]) -> None:
    assert read(tmp_path, text) == values


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("batch-sise = 3", "no option 'batch-sise'; the nearest: batch_size; allowed are space, batch_size"),
        ("command = 'x'", "no option 'command'"),
        ("no-space = true\nspace = 'x'", "gives space twice"),
        ("a", "cannot be read: "),
        ("a = " + "[" * 5000, "cannot be read: "),
    ],
)
def test_what_is_no_option_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        read(tmp_path, text)


def test_other_bytes_than_text(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot be read"):
        read_options(str(tmp_path / "a.toml"), Options)
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_options(str(tmp_path), Options)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    space=st.text(),
    batch_size=st.integers(),
    seeds=st.lists(st.integers(), max_size=3),
    table=st.dictionaries(
        st.text(),
        st.one_of(st.text(), st.integers(), st.booleans(), st.floats(allow_nan=False), st.lists(st.text(), max_size=3)),
        max_size=3,
    ),
)
def test_what_is_written_is_read(
    tmp_path: Path, space: str, batch_size: int, seeds: list[int], table: dict[str, Any]
) -> None:
    values = {"space": space, "batch_size": batch_size, "fast": False, "seeds": seeds, "settings": table}
    assert read(tmp_path, write_options(values, Options)) == values


def test_what_toml_has_no_form_for_is_written_as_json(tmp_path: Path) -> None:
    text = write_options({"arguments": {"a": None, "b": [1]}, "settings": {"x": [None, 1]}}, Options)
    assert read(tmp_path, text) == {"arguments": '{"a": null, "b": [1]}', "settings": {"x": "[null, 1]"}}
