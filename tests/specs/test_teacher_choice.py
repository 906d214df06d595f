"""The forms of a choice of teachers."""

import pytest

from ban_ray.specs.teacher_choice import FORMS, TeacherChoice


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("500000", 500_000), ("1_000_000", 1_000_000)])
def test_a_limit_may_have_underscores_between_its_digits(text: str, number: int) -> None:
    assert TeacherChoice.parse(f"best:parameters={text}").max_parameters == number


@pytest.mark.parametrize("text", ["1__0", "10_", "_1", "0", "", "1e6"])
def test_a_limit_that_is_no_number_is_told_the_allowed_forms(text: str) -> None:
    with pytest.raises(ValueError, match="names no teacher") as refused:
        TeacherChoice.parse(f"best:parameters={text}")
    assert FORMS in str(refused.value)
