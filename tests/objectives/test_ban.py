"""Cross-entropy with labels or a teacher is a sum over classes."""

import math

import numpy as np
import pytest
import torch

from ban_ray.objectives import LossInputs
from ban_ray.objectives.ban import teacher_loss
from ban_ray.specs import Objective
from tests.helpers.literal_losses import log_softmax

BATCH, CLASSES = 13, 7


@pytest.mark.parametrize("name", ["ban", "ban+l", "label"])
def test_a_class_without_probability_changes_nothing(name: str) -> None:
    """A mean over classes would shrink."""
    rng = np.random.default_rng(4)
    z, labels = rng.normal(size=(BATCH, CLASSES)), torch.from_numpy(rng.integers(0, CLASSES, BATCH))
    log_p = log_softmax(rng.normal(size=(BATCH, CLASSES)))
    narrow = LossInputs(torch.from_numpy(z), labels, torch.from_numpy(log_p))
    wide_z, wide_log_p = (
        np.concatenate([part, np.full((BATCH, 1), value)], 1) for part, value in ((z, -60.0), (log_p, -200.0))
    )
    wide = LossInputs(torch.from_numpy(wide_z), labels, torch.from_numpy(wide_log_p))
    loss = Objective(name=name).loss
    assert loss(wide).total.item() == pytest.approx(loss(narrow).total.item(), rel=1e-9)


def test_smoothing_gives_each_class_its_share() -> None:
    """A class with logit -60 costs about 60 nats times its share of the smoothed label."""
    loss, labels = Objective(name="label", label_smoothing=0.1).loss, torch.zeros(BATCH, dtype=torch.int64)
    z = torch.zeros(BATCH, CLASSES)
    wide = torch.cat([z, torch.full((BATCH, 1), -60.0)], 1)
    difference = loss(LossInputs(wide, labels)).total - loss(LossInputs(z, labels)).total
    assert difference.item() == pytest.approx(0.1 * 60 / (CLASSES + 1), rel=1e-5)


def test_a_class_that_the_teacher_excludes_adds_nothing() -> None:
    """A log-probability of minus infinity, at a temperature: neither loss nor gradient is NaN."""
    teacher = torch.tensor([[math.log(0.5), math.log(0.5), -math.inf]])
    logits = torch.tensor([[0.3, -0.2, 0.1]], requires_grad=True)
    loss = teacher_loss(logits, teacher, 2.0)
    loss.backward()  # type: ignore[no-untyped-call]
    student = torch.log_softmax(logits.detach() / 2, 1)
    expected = 4 * sum(0.5 * (math.log(0.5) - student[0, c].item()) for c in (0, 1))
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert logits.grad is not None and torch.isfinite(logits.grad).all()
