"""Augmentations as text."""

import pytest
from pydantic import ValidationError

from ban_ray.augmentations import AUGMENTATIONS, Pipeline
from ban_ray.specs import Recipe


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("default", "default"),
        ("none", "none"),
        ("crop", "crop"),
        ("flip,crop", "crop+flip"),
        (" crop , flip,trivial ,erase:p=0.25", "crop+flip+trivial+erase"),
        (
            "flip,resized-crop:scale=0.5,rand:m=5:n=1,mixup,cutmix",
            "flip+resized-crop:scale=0.5+rand:n=1:m=5+mixup+cutmix",
        ),
        ("default,mixup:alpha=0.4", "default+mixup:alpha=0.4"),
        ("trivial", "trivial"),
        ("mixup:alpha=0.123456789", "mixup:alpha=0.123456789"),
        ("mixup:alpha=2.0", "mixup:alpha=2"),
    ],
)
def test_a_text_has_one_normal_form(text: str, normal: str) -> None:
    assert str(Pipeline.parse(text)) == normal
    assert Pipeline.parse(normal) == Pipeline.parse(text)
    assert Recipe(augmentation=text) == Recipe(augmentation=normal)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'' is unknown; allowed are default, none, crop, flip"),
        ("blur", "'blur' is unknown"),
        ("crop,crop", "has crop twice"),
        ("mixup,mixup:alpha=1", "has mixup twice"),
        ("trivial,crop", "come first"),
        ("default,flip", "come first"),
        ("none,flip", "stands alone"),
        ("none,mixup", "stands alone"),
        ("erase,trivial", "not in the order in which it is done: trivial+erase"),
        ("mixup,resized-crop", "resized-crop+mixup"),
        ("erase:p=2", "p must be between 0 and 1"),
        ("erase:p=x", "'x' is no value of p"),
        ("erase:q=1", "'q=1' is no argument of erase; it has p"),
        ("rand:n=0", "n must be between 1 and 14"),
        ("rand:n=1.5", "'1.5' is no value of n"),
        ("trivial:m=3", "it has none"),
        ("erase:p=nan", "p must be between"),
    ],
)
def test_another_text_is_refused_in_one_sentence(text: str, reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Recipe(augmentation=text)
    assert reason in refused.value.errors()[0]["msg"]


def test_cached_outputs_need_countable_views() -> None:
    assert Recipe(augmentation="default", teacher_outputs="cached").augmentation == "default"
    for text in ("crop", "none", "default,trivial", "default,mixup"):
        with pytest.raises(ValidationError, match="too many views"):
            Recipe(augmentation=text, teacher_outputs="cached")
    with pytest.raises(ValidationError, match="unrolls text"):
        Recipe(augmentation="flip", unroll=3)


def test_the_old_behaviour_has_the_old_key() -> None:
    assert Recipe(augmentation="default").to_json() == Recipe().to_json()
    assert "augmentation" in Recipe(augmentation="crop,flip").to_json()


def test_every_argument_has_a_range() -> None:
    for kind in AUGMENTATIONS.values():
        assert kind.ranges.keys() == kind._defaults().keys(), kind.name
