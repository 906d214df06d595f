"""Every objective against a literal NumPy form of its equation, gradients included."""

from collections import Counter
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor

from ban_ray.specs import Objective
from ban_ray.training.objectives import WorkerReduction, cwtm_loss, loss, permute_dark_knowledge
from tests.training import literal
from tests.training.literal import Matrix

BATCH, CLASSES = 13, 7


class Case:
    """A batch: student logits z, labels y, teacher log-probabilities log_p, and DKPP's draws."""

    def __init__(self, scale: float, seed: int) -> None:
        chance = np.random.default_rng(seed)
        self.z: Matrix = chance.normal(size=(BATCH, CLASSES)) * scale
        self.y = chance.integers(0, CLASSES, BATCH)
        self.log_p = literal.log_softmax(chance.normal(size=(BATCH, CLASSES)) * scale)
        self.keys: Matrix = chance.random((BATCH, CLASSES))

    @classmethod
    def extreme(cls) -> "Case":
        """Logits of +-1e4 on both sides, in agreement, in conflict, tied, and all equal."""
        case = cls(1.0, 9)
        teacher = np.random.default_rng(8).choice([-1e4, 0.0, 1e4], (BATCH, CLASSES))
        case.z = np.random.default_rng(7).choice([-1e4, 0.0, 1e4], (BATCH, CLASSES))
        case.z[0], teacher[0] = [1e4, *[-1e4] * (CLASSES - 1)], [1e4, *[-1e4] * (CLASSES - 1)]
        case.z[1], teacher[1] = [-1e4, *[1e4] * (CLASSES - 1)], [1e4, *[-1e4] * (CLASSES - 1)]
        case.z[2], teacher[2] = 1e4, -1e4
        case.log_p = literal.log_softmax(teacher)
        return case


CASES = {
    "usual": Case(1.0, 0),
    "confident": Case(20.0, 1),
    "flat": Case(1e-3, 2),
    "large": Case(1e4, 3),
    "extreme": Case.extreme(),
}

Literal = Callable[[Case], tuple[float, Matrix]]


def scaled(form: Literal, weight: float) -> Literal:
    def both(case: Case) -> tuple[float, Matrix]:
        value, slope = form(case)
        return weight * value, weight * slope

    return both


OBJECTIVES: dict[str, Literal] = {
    "label": lambda c: literal.label(c.z, c.y),
    "label:label_smoothing=0.1": lambda c: literal.label(c.z, c.y, 0.1),
    "label:label_weight=2": scaled(lambda c: literal.label(c.z, c.y), 2),
    "ban": lambda c: literal.ban(c.z, c.log_p),
    "ban:temperature=4": lambda c: literal.ban(c.z, c.log_p, 4),
    "ban:temperature=0.5": lambda c: literal.ban(c.z, c.log_p, 0.5),
    "ban:teacher_weight=0.25": scaled(lambda c: literal.ban(c.z, c.log_p), 0.25),
    "ban+l": lambda c: literal.ban_l(c.z, c.y, c.log_p),
    "ban+l:label_smoothing=0.2,label_weight=0.3,teacher_weight=1.7,temperature=3": lambda c: literal.ban_l(
        c.z, c.y, c.log_p, temperature=3, label_weight=0.3, teacher_weight=1.7, smoothing=0.2
    ),
    "cwtm": lambda c: literal.cwtm(c.z, c.y, c.log_p),
    "cwtm:label_weight=3": scaled(lambda c: literal.cwtm(c.z, c.y, c.log_p), 3),
    "dkpp": lambda c: literal.dkpp(c.z, c.log_p, c.keys),
    "dkpp:teacher_weight=0.5": scaled(lambda c: literal.dkpp(c.z, c.log_p, c.keys), 0.5),
}


def ours(text: str, case: Case, dtype: torch.dtype = torch.float64) -> tuple[float, Matrix]:
    objective = Objective.parse(text)
    z = torch.tensor(case.z, dtype=dtype, requires_grad=True)
    teacher = torch.tensor(case.log_p, dtype=dtype) if objective.needs_teacher else None
    keys = torch.tensor(case.keys, dtype=dtype) if objective.name == "dkpp" else None
    terms = loss(objective, z, torch.tensor(case.y), teacher, uniform_draws=keys)
    assert terms.total.dtype == dtype
    terms.total.backward()  # type: ignore[no-untyped-call]
    assert z.grad is not None
    return terms.total.item(), z.grad.double().numpy()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("text", OBJECTIVES)
def test_value_and_gradient(text: str, case: str) -> None:
    value, slope = ours(text, CASES[case])
    expected, expected_slope = OBJECTIVES[text](CASES[case])
    assert np.isfinite(value)
    assert value == pytest.approx(expected, rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("text", OBJECTIVES)
def test_single_precision(text: str, case: str) -> None:
    """As in training. Inputs of both forms are rounded to float32 first, so that only the arithmetic differs."""
    rounded = Case(1.0, 0)
    for name in ("z", "log_p", "keys"):
        setattr(rounded, name, getattr(CASES[case], name).astype(np.float32).astype(np.float64))
    rounded.y = CASES[case].y
    value, slope = ours(text, rounded, torch.float32)
    expected, expected_slope = OBJECTIVES[text](rounded)
    assert value == pytest.approx(expected, rel=1e-5, abs=1e-5)
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("text", OBJECTIVES)
def test_the_literal_gradients_are_gradients(text: str) -> None:
    """By central differences of the literal values, so that both forms cannot share an error."""
    case, step = Case(1.0, 5), 1e-6
    _, slope = OBJECTIVES[text](case)
    for row in range(0, BATCH, 4):
        for column in range(CLASSES):
            values = []
            for sign in (1, -1):
                moved = Case(1.0, 5)
                moved.z[row, column] += sign * step
                values.append(OBJECTIVES[text](moved)[0])
            assert (values[0] - values[1]) / (2 * step) == pytest.approx(slope[row, column], abs=1e-7)


@pytest.mark.parametrize("text", OBJECTIVES)
def test_a_batch_twice_is_the_same_loss(text: str) -> None:
    """A mean over the batch; CWTM's weights halve by themselves."""
    case, twice = Case(1.0, 4), Case(1.0, 4)
    for name in ("z", "y", "log_p", "keys"):
        setattr(twice, name, np.concatenate([getattr(case, name)] * 2))
    assert ours(text, twice)[0] == pytest.approx(ours(text, case)[0], rel=1e-12)


@pytest.mark.parametrize("text", ["ban", "ban+l", "dkpp", "label", "label:label_smoothing=0.1"])
def test_classes_are_summed_over(text: str) -> None:
    """A class that nobody believes in changes nothing; a mean over classes would shrink."""
    case, wider = Case(1.0, 4), Case(1.0, 4)
    wider.z = np.concatenate([case.z, np.full((BATCH, 1), -60.0)], 1)
    wider.log_p = np.concatenate([case.log_p, np.full((BATCH, 1), -200.0)], 1)
    wider.keys = np.concatenate([case.keys, np.full((BATCH, 1), 2.0)], 1)
    if "smoothing" in text:
        assert ours(text, wider)[0] > ours(text, case)[0] + 0.1 * 60 / (CLASSES + 1) / 2
    elif text != "dkpp":
        assert ours(text, wider)[0] == pytest.approx(ours(text, case)[0], rel=1e-9)
    else:
        assert ours(text, wider)[0] > ours(text, case)[0] * (1 - 1e-9)


def test_cwtm_weights_sum_to_one() -> None:
    """Samples that are all equally wrong have that loss, whatever the teacher's confidence and the batch size."""
    for batch in (1, 5, 128):
        log_p = torch.log_softmax(torch.randn(batch, CLASSES, generator=torch.Generator().manual_seed(batch)) * 3, 1)
        uniform = torch.zeros(batch, CLASSES)
        labels = torch.zeros(batch, dtype=torch.int64)
        assert cwtm_loss(uniform, labels, log_p).item() == pytest.approx(np.log(CLASSES), rel=1e-6)


def test_cwtm_follows_the_teachers_confidence_alone() -> None:
    """Which class the teacher believes in does not matter."""
    case = Case(1.0, 6)
    rolled = Case(1.0, 6)
    rolled.log_p = np.roll(case.log_p, 3, axis=1)
    assert ours("cwtm", rolled)[0] == pytest.approx(ours("cwtm", case)[0], rel=1e-12)
    surer = Case(1.0, 6)
    surer.log_p = case.log_p.copy()
    surer.log_p[0] = literal.log_softmax(np.eye(1, CLASSES) * 50)[0]
    single = literal.label(case.z[:1], case.y[:1])[0]
    towards = ours("cwtm", surer)[0] - ours("cwtm", case)[0]
    assert np.sign(towards) == np.sign(single - ours("cwtm", case)[0])


@pytest.mark.parametrize("parts", [1, 2, 4])
@pytest.mark.parametrize("text", [text for text in OBJECTIVES if "label_smoothing=0.2" not in text])
def test_workers_parts_average_to_the_whole(text: str, parts: int) -> None:
    """Each worker's gradient, averaged over workers as torch does, is the gradient of the whole batch."""
    objective = Objective.parse(text)
    chance = np.random.default_rng(3)
    whole = Case(1.0, 0)
    whole.z, whole.y = chance.normal(size=(8, CLASSES)), chance.integers(0, CLASSES, 8)
    # Confidences that differ a lot between the parts, so that a sum over a part alone is noticed.
    whole.log_p = literal.log_softmax(chance.normal(size=(8, CLASSES)) * np.linspace(0.1, 9, 8)[:, None])
    whole.keys = chance.random((8, CLASSES))
    confidence = torch.tensor(whole.log_p).max(1).values.exp().sum()
    value, slope = 0.0, np.zeros((8, CLASSES))
    for part in np.split(np.arange(8), parts):
        z = torch.tensor(whole.z[part], requires_grad=True)
        terms = loss(
            objective,
            z,
            torch.tensor(whole.y[part]),
            torch.tensor(whole.log_p[part]),
            uniform_draws=torch.tensor(whole.keys[part]),
            workers=WorkerReduction(parts, lambda _: confidence) if parts > 1 else WorkerReduction(),
        )
        terms.total.backward()  # type: ignore[no-untyped-call]
        assert z.grad is not None
        value += terms.total.item() / parts
        slope[part] = z.grad.numpy() / parts
    expected, expected_slope = OBJECTIVES[text](whole)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-9, atol=1e-15)


def test_the_parts_of_a_loss_are_unweighted() -> None:
    case = Case(1.0, 0)
    z, y, log_p = torch.tensor(case.z), torch.tensor(case.y), torch.tensor(case.log_p)
    terms = loss(Objective.parse("ban+l:label_weight=0.3,teacher_weight=2"), z, y, log_p)
    assert terms.label is not None
    assert terms.teacher is not None
    assert terms.label.item() == pytest.approx(literal.label(case.z, case.y)[0])
    assert terms.teacher.item() == pytest.approx(literal.ban(case.z, case.log_p)[0])
    assert terms.total.item() == pytest.approx(0.3 * terms.label.item() + 2 * terms.teacher.item())
    assert loss(Objective(name="ban"), z, y, log_p).label is None
    assert loss(Objective(name="label"), z, y, None).teacher is None


@pytest.mark.parametrize("name", ["ban", "ban+l", "cwtm", "dkpp"])
def test_a_missing_teacher_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="teacher"):
        loss(Objective(name=name), torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64), None)


def test_missing_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="draws"):
        loss(Objective(name="dkpp"), torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64), torch.zeros(2, 3))


def draws(rows: int, classes: int, seed: int = 0) -> Tensor:
    return torch.rand(rows, classes, generator=torch.Generator().manual_seed(seed))


def rows_of_log_probabilities(rows: int, classes: int, seed: int = 1) -> Tensor:
    return torch.log_softmax(torch.randn(rows, classes, generator=torch.Generator().manual_seed(seed)) * 3, 1)


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_dkpp_keeps_the_argmax_and_each_rows_entries(classes: int) -> None:
    teacher = rows_of_log_probabilities(300, classes)
    before = teacher.clone()
    made = permute_dark_knowledge(teacher, draws(300, classes))
    assert torch.equal(teacher, before), "not in place"
    assert torch.equal(made.argmax(1), teacher.argmax(1))
    assert torch.equal(made.max(1).values, teacher.max(1).values)
    assert torch.equal(made.sort(1).values, teacher.sort(1).values), "each row keeps its own entries"
    if classes > 3:
        moved = (made != teacher).sum(1)
        assert moved.double().mean() > classes - 3, "a random permutation leaves one of its entries on average"
    if classes == 2:
        assert torch.equal(made, teacher)


def test_dkpp_of_a_tie_keeps_the_first() -> None:
    teacher = torch.log(torch.tensor([[0.1, 0.4, 0.4, 0.1], [0.25, 0.25, 0.25, 0.25], [0.3, 0.3, 0.0, 0.4]])).repeat(
        50, 1
    )
    places = torch.arange(4.0).expand(150, 4)
    made = permute_dark_knowledge(teacher, draws(150, 4))
    assert torch.equal(made[0::3, 1], teacher[0::3, 1])
    assert made[0::3, 2].eq(teacher[0, 0]).any(), "the second of the tied entries moves"
    assert torch.equal(made[2::3, 3], teacher[2::3, 3])
    # All entries alike: which of them moved is read off the places.
    marked = places.clone()
    marked[:, 0] = 9
    assert torch.equal(permute_dark_knowledge(marked, draws(150, 4))[:, 0], marked[:, 0])


def test_dkpp_draws_anew_for_each_sample_and_evenly() -> None:
    """Each of the six permutations of three entries, equally often, over rows that are all alike."""
    rows = 6000
    teacher = torch.log(torch.tensor([0.1, 0.2, 0.4, 0.3])).expand(rows, 4)
    made = permute_dark_knowledge(teacher, draws(rows, 4))
    assert (made[:, 2] == teacher[0, 2]).all()
    counts = Counter(map(tuple, made[:, [0, 1, 3]].exp().mul(10).round().int().tolist()))
    assert set(counts) == set(permutations((1, 2, 3)))
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 20.5, "5 degrees of freedom, p = 0.001"
    again = permute_dark_knowledge(teacher, draws(rows, 4, seed=5))
    assert not torch.equal(made, again)
    assert torch.equal(made, permute_dark_knowledge(teacher, draws(rows, 4)))


def test_dkpp_of_a_row_does_not_depend_on_the_others() -> None:
    teacher, keys = rows_of_log_probabilities(40, 6), draws(40, 6)
    whole = permute_dark_knowledge(teacher, keys)
    alone = torch.cat([permute_dark_knowledge(teacher[i : i + 1], keys[i : i + 1]) for i in range(40)])
    assert torch.equal(whole, alone)
