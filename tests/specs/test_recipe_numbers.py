"""Recipes with numbers that no float holds, as a damaged record or a mistyped option may have them."""

import pytest
from pydantic import ValidationError

from ban_ray.specs import Recipe


@pytest.mark.parametrize("field", ["epochs", "batch_size", "workers", "unroll", "micro_batches"])
def test_a_count_beyond_every_training_is_refused(field: str) -> None:
    with pytest.raises(ValidationError, match="less than or equal to 1000000000"):
        Recipe.model_validate({field: 10**400})
    assert Recipe.model_validate({"epochs": 10**9}).epochs == 10**9


@pytest.mark.parametrize(("warm_up", "decay_part"), [(0.1, 0.9), (3, 0.7), (10, 0.2)])
def test_a_warm_up_leaves_something(warm_up: float, decay_part: float) -> None:
    """Of ten epochs; rounding makes no difference."""
    fields = {"epochs": 10, "schedule": "wsd", "decay_part": decay_part, "warm_up_epochs": warm_up}
    if warm_up + decay_part * 10 > 10 + 1e-9:
        with pytest.raises(ValidationError, match="leave nothing of epochs = 10"):
            Recipe.model_validate(fields)
    else:
        assert Recipe.model_validate(fields).warm_up_epochs == warm_up
