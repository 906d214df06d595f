"""The contract of every registered objective, checked also for an example that one more file adds.

An objective is compared with the formula in NumPy that `tests.helpers.literal_losses.REFERENCES` has for it.
"""

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ban_ray import objectives
from ban_ray.objectives import LOSSES, LossInputs, LossTerms, WorkerReduction
from ban_ray.specs import OBJECTIVES, Generation, Objective, Recipe, derive_seed
from ban_ray.tasks.image_data import ImageData
from ban_ray.training import train
from ban_ray.training.meters import Meters
from ban_ray.training.optimizer import SGD
from ban_ray.training.step import StepInputs, TrainingStep
from tests.conftest import CPU, MakeGeneration
from tests.helpers.literal_losses import REFERENCES, Batch, LossAndGradient, Matrix, log_softmax, reference, weighted
from tests.helpers.loss_batches import BATCH, BATCHES, CLASSES, make_batch
from tests.helpers.training_spies import a_teacher, same_training, train_with_states

EXAMPLE = '''
"""``half``: the teacher on a random half of the classes."""

from dataclasses import dataclass

from ban_ray.objectives import Loss, LossInputs, LossTerms, register


@register
@dataclass(frozen=True)
class Half(Loss):
    """``mean_s -sum_c [u_sc < 1/2] p_sc log q_sc``, u uniform."""

    name = "half"
    draws = "half"

    teacher_weight: float

    def __call__(self, inputs: LossInputs) -> LossTerms:
        log_q = inputs.logits.log_softmax(1)
        matching = -((inputs.draws < 0.5) * inputs.teacher.exp() * log_q).sum(1).mean()
        return LossTerms(inputs.steps * self.teacher_weight * matching, None, matching)
'''

NAMES = (*OBJECTIVES, "half")
VALUES = {
    "temperature": 3.0,
    "label_weight": 0.3,
    "teacher_weight": 1.7,
    "label_smoothing": 0.2,
    "xi": 1.3,
    "confidence": 0.7,
    "beta": 4.0,
    "teacher_decay": 0.9,
}
ALL_FIELDS, DEFAULTS = "all fields", "defaults"
PURPOSES = {"initialisation", "order", "augmentation", "dropout", "generation", "independent", "sampler", "draw"}
STEPS = 5


def half(objective: Objective, batch: Batch) -> LossAndGradient:
    p = np.exp(batch.log_p) * (batch.draws < 0.5)
    log_q = log_softmax(batch.z)
    value = -(p * log_q).sum() / len(p)
    return weighted((objective.teacher_weight, (value, (np.exp(log_q) * p.sum(1, keepdims=True) - p) / len(p))))


@pytest.fixture(scope="module", autouse=True)
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("objectives")
    (folder / "half.py").write_text(EXAMPLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objectives, "__path__", [*objectives.__path__, str(folder)])
        patch.setitem(REFERENCES, "half", half)
        objectives.import_all()
        yield
    del LOSSES["half"], sys.modules["ban_ray.objectives.half"]


@pytest.fixture(params=[(name, fields) for name in NAMES for fields in (DEFAULTS, ALL_FIELDS)], ids="-".join)
def objective(request: pytest.FixtureRequest) -> Objective:
    name, fields = request.param
    used = LOSSES[name].used_fields() if fields == ALL_FIELDS else ()
    return Objective.model_validate({"name": name, **{field: VALUES[field] for field in used}})


def inputs_of(batch: Batch, dtype: torch.dtype = torch.float64) -> LossInputs:
    return LossInputs(
        torch.tensor(batch.z, dtype=dtype, requires_grad=True),
        torch.tensor(batch.y),
        torch.tensor(batch.log_p, dtype=dtype),
        torch.tensor(batch.draws, dtype=dtype),
    )


def joined(batches: list[Batch]) -> Batch:
    return Batch(*(np.concatenate([vars(batch)[part] for batch in batches]) for part in ("z", "y", "log_p", "draws")))


def loss_and_gradient(objective: Objective, inputs: LossInputs) -> tuple[float, Matrix]:
    terms = objective.loss(inputs)
    assert terms.total.dtype == inputs.logits.dtype
    terms.total.backward()  # type: ignore[no-untyped-call]
    assert inputs.logits.grad is not None
    return terms.total.item(), inputs.logits.grad.double().numpy()


def test_every_objective_has_a_reference() -> None:
    assert set(REFERENCES) == set(LOSSES) == set(NAMES)


@pytest.mark.parametrize("batch", BATCHES)
def test_loss_and_gradient_are_those_of_the_formula(objective: Objective, batch: str) -> None:
    value, gradient = loss_and_gradient(objective, inputs_of(BATCHES[batch]))
    expected, expected_gradient = reference(objective, BATCHES[batch])
    assert np.isfinite(value)
    assert value == pytest.approx(expected, rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("batch", BATCHES)
def test_single_precision_differs_by_rounding(objective: Objective, batch: str) -> None:
    """The inputs of both sides are rounded to float32 first, so that only the arithmetic differs."""
    rounded = replace(
        BATCHES[batch],
        **{part: vars(BATCHES[batch])[part].astype(np.float32).astype(float) for part in ("z", "log_p", "draws")},
    )
    value, gradient = loss_and_gradient(objective, inputs_of(rounded, torch.float32))
    expected, expected_gradient = reference(objective, rounded)
    assert value == pytest.approx(expected, rel=1e-5, abs=1e-5)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-5)


def test_the_formulas_gradient_is_its_derivative(objective: Objective) -> None:
    """By central differences, so that formula and loss cannot share an error."""
    step = 1e-6
    _, gradient = reference(objective, make_batch(1.0, 5))
    for row in range(0, BATCH, 4):
        for column in range(CLASSES):
            values = []
            for sign in (1, -1):
                moved = make_batch(1.0, 5)
                moved.z[row, column] += sign * step
                values.append(reference(objective, moved)[0])
            assert (values[0] - values[1]) / (2 * step) == pytest.approx(gradient[row, column], abs=1e-7)


def test_a_batch_twice_has_the_same_loss(objective: Objective) -> None:
    batch = make_batch(1.0, 4)
    twice, _ = loss_and_gradient(objective, inputs_of(joined([batch, batch])))
    assert twice == pytest.approx(loss_and_gradient(objective, inputs_of(batch))[0], rel=1e-12)


def test_gradients_reach_the_logits_alone_and_inputs_stay(objective: Objective) -> None:
    inputs = inputs_of(make_batch(1.0, 4))
    assert inputs.teacher_log_probs is not None
    assert inputs.uniform_draws is not None
    inputs.teacher_log_probs.requires_grad_()
    inputs.uniform_draws.requires_grad_()
    before = inputs_of(make_batch(1.0, 4))
    loss_and_gradient(objective, inputs)
    assert inputs.teacher_log_probs.grad is None
    assert inputs.uniform_draws.grad is None
    for part in ("logits", "labels", "teacher_log_probs", "uniform_draws"):
        assert torch.equal(getattr(inputs, part), getattr(before, part)), part


def on_workers(count: int, work: Callable[[int, WorkerReduction], None]) -> None:
    """Call `work` with each rank in a thread of its own; sums wait for all of them, as an all-reduce does."""
    barrier, tensors = threading.Barrier(count, timeout=60), [torch.empty(0)] * count
    errors: list[BaseException] = []

    def run(rank: int) -> None:
        def total(tensor: Tensor) -> Tensor:
            tensors[rank] = tensor
            barrier.wait()
            result = torch.stack(tensors).sum(0)
            barrier.wait()
            return result

        try:
            work(rank, WorkerReduction(count, total, rank))
        except BaseException as error:
            errors.append(error)
            barrier.abort()
            raise

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("count", [2, 4])
def test_gradients_averaged_over_workers_are_those_of_one(objective: Objective, count: int, steps: int) -> None:
    batches = [make_batch(1.0, 10 + step, size=8) for step in range(steps)]
    whole = replace(inputs_of(joined(batches)), steps=steps)
    expected, expected_gradient = loss_and_gradient(objective, whole)
    rows = np.arange(8 * steps).reshape(steps, count, 8 // count)
    value, gradient = np.zeros(count), np.zeros((8 * steps, CLASSES))

    def work(rank: int, workers: WorkerReduction) -> None:
        mine = rows[:, rank].ravel()
        parts = (part[mine].detach() for part in (whole.logits, whole.labels, whole.teacher, whole.draws))
        logits, labels, teacher, draws = parts
        inputs = LossInputs(logits.requires_grad_(), labels, teacher, draws, workers, steps)
        value[rank], gradient[mine] = loss_and_gradient(objective, inputs)

    on_workers(count, work)
    assert value.mean() == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient / count, expected_gradient, rtol=1e-9, atol=1e-15)


class Logits(nn.Module):
    """A network whose inputs are numbers of rows, and whose parameters are their logits."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.rows = nn.Parameter(logits.clone())

    def forward(self, numbers: Tensor) -> Tensor:
        return self.rows[numbers]


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_gradients_of_micro_batches_add_up_to_those_of_the_batch(objective: Objective, parts: int) -> None:
    inputs = inputs_of(make_batch(1.0, 10, size=8), torch.float32)
    gradients, meters = [], []
    for count in (1, parts):
        recipe = Recipe(batch_size=8, micro_batches=count, weight_decay=0.0, momentum=0.0)
        network = Logits(inputs.logits.detach())
        meters.append(Meters(CPU))
        step = TrainingStep(network, None, objective.loss, SGD(network.parameters(), recipe), meters[-1], recipe)
        step(StepInputs(torch.arange(8), inputs.labels, inputs.teacher, inputs.draws), 1.0)
        gradients.append((inputs.logits.detach() - network.rows).detach())
    assert gradients[0].abs().max() > 1e-3
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-5, atol=1e-7)
    assert meters[1].means(parts) == pytest.approx(meters[0].means(1), rel=1e-6)


def test_unrolled_steps_are_summed_and_their_batches_averaged(objective: Objective) -> None:
    """A mean over all rows would be `STEPS` times smaller."""
    batches = [make_batch(1.0 + step, 20 + step) for step in range(STEPS)]
    value, gradient = loss_and_gradient(objective, replace(inputs_of(joined(batches)), steps=STEPS))
    expected = [reference(objective, batch) for batch in batches]
    assert value == pytest.approx(sum(step_value for step_value, _ in expected), rel=1e-12)
    np.testing.assert_allclose(gradient, np.concatenate([slope for _, slope in expected]), rtol=1e-9, atol=1e-12)


def test_the_parts_are_unweighted_means_over_all_rows(objective: Objective) -> None:
    """So that the figures of a history are nats a sample, whatever the weights and the unrolled steps."""
    batch = make_batch(1.0, 3)
    single = objective.loss(inputs_of(batch))
    unrolled = objective.loss(replace(inputs_of(joined([batch, batch])), steps=2))
    weights = {"label_weight": 1.0, "teacher_weight": 1.0, "xi": 0.5}
    plain = objective.model_copy(update=weights).loss(inputs_of(batch))
    total = torch.zeros(())
    shares = (1 - objective.xi, objective.xi) if "xi" in LOSSES[objective.name].used_fields() else None
    parts = shares or (objective.label_weight, objective.teacher_weight)
    for part, weight in zip(("label", "teacher"), parts, strict=True):
        values = [getattr(terms, part) for terms in (single, unrolled, plain)]
        if values[0] is None:
            assert values == [None] * 3
        else:
            assert values[1].item() == pytest.approx(values[0].item(), rel=1e-12)
            assert values[2].item() == pytest.approx(values[0].item(), rel=1e-12)
            total = total + weight * values[0]
    assert single.total.item() == pytest.approx(total.item(), rel=1e-12)
    assert unrolled.total.item() == pytest.approx(2 * total.item(), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_loss_reads_is_what_it_says(name: str) -> None:
    loss, inputs = Objective(name=name).loss, inputs_of(make_batch(1.0, 0))
    needs_teacher = loss.needs_teacher or loss.needs_own_average
    assert not (loss.needs_teacher and loss.needs_own_average)
    for needed, part in ((needs_teacher, "teacher_log_probs"), (bool(loss.draws), "uniform_draws")):
        without = replace(inputs, **dict[str, Any]({part: None}))
        if needed:
            with pytest.raises(ValueError, match="none were given"):
                loss(without)
        else:
            assert torch.equal(loss(without).total, loss(inputs).total)


@pytest.mark.parametrize("field", VALUES)
@pytest.mark.parametrize("name", NAMES)
def test_a_field_has_an_effect_or_is_refused(name: str, field: str) -> None:
    fields = {"name": name, field: VALUES[field]}
    if field in LOSSES[name].used_fields():
        batch = inputs_of(make_batch(1.0, 0))
        changed = Objective.model_validate(fields)
        assert Objective.parse(f"{name}:{field}={VALUES[field]}") == changed
        # The training reads it: tests/training/test_own_average.py.
        if field != "teacher_decay":
            assert changed.loss(batch).total.item() != pytest.approx(Objective(name=name).loss(batch).total.item())
    else:
        with pytest.raises(ValueError, match=field):
            Objective.model_validate(fields)
        with pytest.raises(ValueError, match=field):
            Objective.parse(f"{name}:{field}={VALUES[field]}")


def generation_of(objective: Objective, make_generation: MakeGeneration) -> Generation:
    teachers = ("1" * 64,) if objective.needs_teacher else ()
    return make_generation(str(objective), epochs=2, batch_size=100, teachers=teachers)


def test_text_json_and_key_come_back(objective: Objective, make_generation: MakeGeneration) -> None:
    generation = generation_of(objective, make_generation)
    assert Objective.parse(str(objective)) == generation.objective == objective
    again = Generation.model_validate_json(generation.to_json())
    assert again == generation
    assert again.key == generation.key
    other = generation_of(Objective(name="label" if objective.needs_teacher else "ban"), make_generation)
    assert other.key != generation.key


@pytest.mark.parametrize("name", NAMES)
def test_draws_follow_seed_epoch_and_step_also_after_a_resume(
    data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    loss, seen = LOSSES[name], list[Tensor | None]()
    real = loss.__call__

    def watched(self: objectives.Loss, inputs: LossInputs) -> LossTerms:
        seen.append(inputs.uniform_draws)
        return real(self, inputs)

    monkeypatch.setattr(loss, "__call__", watched)
    generation = generation_of(Objective(name=name), make_generation)
    teacher = a_teacher(data) if loss.needs_teacher else None
    whole, states = train_with_states(generation, data, teacher)
    resumed = train(generation, teacher, data, CPU, state=states[0])
    assert same_training(whole, resumed)
    positions = [(epoch, step) for epoch in (0, 1, 1) for step in range(3)]
    assert len(seen) == len(positions)
    for draws, position in zip(seen, positions, strict=True):
        if loss.draws:
            generator = torch.Generator().manual_seed(derive_seed(generation.seed, loss.draws, *position))
            assert draws is not None
            assert torch.equal(draws, torch.rand(100, 10, generator=generator))
        else:
            assert draws is None


def test_draws_are_of_a_purpose_of_their_own() -> None:
    purposes = [loss.draws for loss in LOSSES.values() if loss.draws]
    assert len(purposes) == len(set(purposes))
    assert not PURPOSES & set(purposes)


def test_an_unknown_name_is_refused_with_the_allowed_ones() -> None:
    allowed = re.escape(f"'kd'; allowed are {', '.join(sorted(LOSSES))}")
    for make in (Objective.parse, lambda name: Objective(name=name)):
        with pytest.raises(ValueError, match=allowed):
            make("kd")


def test_a_second_loss_of_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="'ban' is registered twice"):
        objectives.register(LOSSES["ban"])


def test_objectives_are_listed_without_torch() -> None:
    code = "import sys, ban_ray.specs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0
