"""The loss of a network that is unrolled in time: averaged over each step's mini-batch, summed over the steps."""

import numpy as np
import pytest
import torch

from ban_ray.specs import Objective
from ban_ray.training.objectives import WorkerReduction, loss
from tests.test_objectives import OBJECTIVES, Case

STEPS = 5


@pytest.mark.parametrize("text", OBJECTIVES)
def test_steps_are_summed_and_batches_averaged(text: str) -> None:
    """Value and gradient against the literal form of each step on its own; a mean over the rows is 5 times smaller."""
    steps = [Case(1.0 + step, 20 + step) for step in range(STEPS)]
    objective = Objective.parse(text)
    z = torch.tensor(np.concatenate([step.z for step in steps]), requires_grad=True)
    terms = loss(
        objective,
        z,
        torch.tensor(np.concatenate([step.y for step in steps])),
        torch.tensor(np.concatenate([step.log_p for step in steps])),
        uniform_draws=torch.tensor(np.concatenate([step.keys for step in steps])),
        steps=STEPS,
    )
    terms.total.backward()  # type: ignore[no-untyped-call]
    expected = [OBJECTIVES[text](step) for step in steps]
    assert terms.total.item() == pytest.approx(sum(value for value, _ in expected), rel=1e-12)
    assert z.grad is not None
    np.testing.assert_allclose(z.grad.numpy(), np.concatenate([slope for _, slope in expected]), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("text", ["label", "ban+l:label_weight=0.3", "cwtm", "dkpp"])
def test_the_parts_are_means_over_all_rows(text: str) -> None:
    """So that a history's figures of texts and images are both nats a sample."""
    case, objective = Case(1.0, 3), Objective.parse(text)
    twice = [torch.tensor(np.concatenate([part] * 2)) for part in (case.z, case.y, case.log_p)]
    keys = torch.tensor(np.concatenate([case.keys] * 2))
    once = [torch.tensor(part) for part in (case.z, case.y, case.log_p)]
    unrolled = loss(objective, *twice, uniform_draws=keys, steps=2)
    single = loss(objective, *once, uniform_draws=torch.tensor(case.keys))
    for mine, theirs in ((unrolled.label, single.label), (unrolled.teacher, single.teacher)):
        assert (mine is None) == (theirs is None)
        assert mine is None or theirs is None or mine.item() == pytest.approx(theirs.item(), rel=1e-12)
    assert unrolled.total.item() == pytest.approx(2 * single.total.item(), rel=1e-12)


def test_cwtm_of_two_workers_and_several_steps() -> None:
    """Each step's denominator runs over the whole mini-batch of that step."""
    case, half = Case(2.0, 8), 6
    z, y, log_p = (torch.tensor(part[: 2 * half]) for part in (case.z, case.y, case.log_p))
    confidence = log_p.max(1).values.exp().view(2, 2, half // 2).sum((1, 2))
    parts = torch.arange(2 * half).view(2, 2, half // 2)
    mean = 0.0
    for worker in range(2):
        mine = parts[:, worker].flatten()
        workers = WorkerReduction(2, lambda local: confidence.view_as(local))
        mean += loss(Objective(name="cwtm"), z[mine], y[mine], log_p[mine], workers=workers, steps=2).total.item() / 2
    whole = loss(Objective(name="cwtm"), z, y, log_p, steps=2).total.item()
    assert mean == pytest.approx(whole, rel=1e-12)
