"""The weights of CWTM."""

import numpy as np
import pytest
import torch

from ban_ray.objectives import LossInputs
from ban_ray.specs import Objective

CLASSES = 7


def log_probabilities(rows: int, seed: int, scale: float = 3.0) -> torch.Tensor:
    return torch.log_softmax(torch.randn(rows, CLASSES, generator=torch.Generator().manual_seed(seed)) * scale, 1)


def cwtm(logits: torch.Tensor, labels: torch.Tensor, teacher: torch.Tensor) -> float:
    return Objective(name="cwtm").loss(LossInputs(logits, labels, teacher)).total.item()


@pytest.mark.parametrize("batch", [1, 5, 128])
def test_weights_sum_to_one(batch: int) -> None:
    """Samples that are all equally wrong have that loss, whatever the teacher's confidence and the batch size."""
    labels = torch.zeros(batch, dtype=torch.int64)
    loss = cwtm(torch.zeros(batch, CLASSES), labels, log_probabilities(batch, batch))
    assert loss == pytest.approx(np.log(CLASSES), rel=1e-6)


def test_weights_follow_the_teachers_confidence_alone() -> None:
    """The class that the teacher believes in does not matter."""
    logits, labels, teacher = log_probabilities(13, 0).double(), torch.arange(13) % CLASSES, log_probabilities(13, 6)
    loss = cwtm(logits, labels, teacher.double())
    assert cwtm(logits, labels, teacher.double().roll(3, 1)) == pytest.approx(loss, rel=1e-12)
    surer = teacher.double()
    surer[0] = torch.log_softmax(torch.eye(1, CLASSES).double() * 50, 1)[0]
    first = -torch.log_softmax(logits, 1)[0, labels[0]].item()
    assert np.sign(cwtm(logits, labels, surer) - loss) == np.sign(first - loss)
