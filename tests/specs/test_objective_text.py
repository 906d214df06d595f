"""Objectives as text: every field that a name uses, and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ban_ray.objectives import LOSSES
from ban_ray.specs import OBJECTIVES, Objective


@st.composite
def objectives(draw: st.DrawFn, numbers: st.SearchStrategy[float]) -> Objective:
    name = draw(st.sampled_from(OBJECTIVES))
    fields = {field: draw(numbers) for field in LOSSES[name].used_fields() if draw(st.booleans())}
    return Objective.model_validate({"name": name, **fields})


@given(objectives(st.integers(1, 999).map(lambda number: number / 1000)))
def test_text_and_back(objective: Objective) -> None:
    assert Objective.parse(str(objective)) == objective


@pytest.mark.parametrize("value", ["1.2345678", "0.30000000000000004", "1234567"])
def test_text_keeps_every_digit(value: str) -> None:
    objective = Objective.parse(f"ban:temperature={value}")
    assert Objective.parse(str(objective)) == objective


@pytest.mark.parametrize("name", OBJECTIVES)
def test_defaults_are_the_name_alone(name: str) -> None:
    assert str(Objective.parse(name)) == name
    assert str(Objective(name=name, temperature=1, label_weight=1, teacher_weight=1, label_smoothing=0)) == name


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("BAN", "BAN"),
        ("kd", "kd"),
        ("", "''"),
        (" ban", "' ban'"),
        ("ban:temperature", "temperature"),
        ("ban:4", "4"),
        ("ban:temperature=", "temperature"),
        ("ban:temperature=hot", "hot"),
        ("ban:temperature=0", "temperature"),
        ("ban:temperature=-1", "temperature"),
        ("ban:temperature=nan", "temperature"),
        ("ban:temperature=inf", "temperature"),
        ("label:label_smoothing=1", "label_smoothing"),
        ("label:name=ban", "name"),
        ("ban:tau=4", "tau"),
        ("ban:temperature=2,temperature=3", "gives temperature twice"),
    ],
)
def test_text_that_means_nothing(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Objective.parse(text)


def test_which_objectives_need_no_teacher() -> None:
    without = [name for name in OBJECTIVES if not Objective(name=name).needs_teacher]
    assert without == ["beta", "label", "self-ema", "virtual"]
