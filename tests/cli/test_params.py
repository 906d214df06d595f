"""An option that is a JSON object: the object, or one short sentence."""

import pytest

from ban_ray.cli.params import json_object
from ban_ray.errors import UserError


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
def test_anything_else_is_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        json_object("--x", text)
    assert len(str(caught.value)) < 400
