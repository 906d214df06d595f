"""The bugs of other born-again and distillation projects, one test each, on this project's own path.

Most are shown in more depth elsewhere; here a name says whose bug it would be.
"""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ban_ray.evaluation.metrics import error_percent
from ban_ray.objectives import LossInputs, dkpp
from ban_ray.population import Population
from ban_ray.runtime.events import Event, GenerationEvent
from ban_ray.specs import Chain, Generation, Objective, Recipe, Task, born_again
from ban_ray.tasks.image_data import EVALUATION_BATCH, ImageData, ImagePart
from ban_ray.training import train
from ban_ray.training.evaluation import evaluate
from ban_ray.training.optimizer import SGD
from ban_ray.training.precision import to_device
from tests.conftest import CPU, MakeGeneration
from tests.helpers import literal_losses
from tests.helpers.local_jobs import run_job
from tests.helpers.training_spies import (
    a_teacher,
    initial_network,
    same_bits,
    train_with_states,
    watch_batches,
    watch_teachers,
    without_times,
)

NETWORK = "densenet-bc-10-4"


def chain_of(
    task: Task, *, recipe: dict[str, Any] | None = None, objective: str = "ban", generations: int = 1
) -> Chain:
    made = Recipe.model_validate({"epochs": 1, "batch_size": 100, **(recipe or {})})
    return born_again(task, NETWORK, made, Objective(name=objective), seed=0, generations=generations)


class TestKDLib:
    def test_the_student_is_another_module_than_its_teacher(
        self, population: Population, task: Task, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There, one object is both, so that it learns from itself."""
        optimisers: list[SGD] = []
        real_init = SGD.__init__

        def init(self: SGD, *given: Any, **named: Any) -> None:
            real_init(self, *given, **named)
            optimisers.append(self)

        monkeypatch.setattr(SGD, "__init__", init)
        answers = watch_teachers(monkeypatch)
        chain = chain_of(task)
        assert run_job(population, *chain.generations).status == "done"
        trained = {id(parameter) for optimiser in optimisers for parameter in optimiser.parameters}
        assert trained
        assert answers
        for teacher, _, _ in answers:
            assert not {id(parameter) for parameter in teacher.parameters()} & trained
        baseline, student = (population.weights(population[key]) for key in chain.keys)
        taught_by = answers[-1][0].networks[0].state_dict()
        for name in baseline:
            assert np.array_equal(taught_by[name].numpy().ravel(), baseline[name].ravel()), "still the baseline's"
        assert not np.array_equal(baseline["stem.weight"], student["stem.weight"])

    def test_generations_start_from_weights_of_their_own(self, population: Population, task: Task) -> None:
        """There, every generation restarts from the first one's initial weights."""
        chain = chain_of(task, recipe={"learning_rate": 1e-30}, generations=2)
        assert run_job(population, *chain.generations).status == "done"
        stems = {population.weights(population[key])["stem.weight"].tobytes() for key in chain.keys}
        assert len(stems) == 3

    def test_the_teacher_keeps_no_gradients(
        self, data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There, the teacher's forward pass is kept and differentiated through."""
        teacher, answers = a_teacher(data), watch_teachers(monkeypatch)
        train(make_generation("ban", teachers=("1" * 64,), epochs=1), teacher, data, CPU)
        assert answers
        assert not any(said.requires_grad for _, _, said in answers)
        assert all(parameter.grad is None and not parameter.requires_grad for parameter in teacher.parameters())

    def test_the_accuracy_is_of_samples(self, data: ImageData, make_generation: MakeGeneration) -> None:
        """There, right answers are divided by batches; the last evaluation batch is smaller than the others."""
        assert len(data.test) % EVALUATION_BATCH
        generation = make_generation(epochs=1)
        made = train(generation, None, data, CPU)
        right = sum(int(row.argmax() == label) for row, label in zip(made.test, data.test.labels.tolist(), strict=True))
        assert error_percent(data.to_stored(made.test), data.test.labels.numpy()) == pytest.approx(
            100 * (1 - right / 1397)
        )
        for cut in (1, 255, 256, 257):
            part = ImagePart(data.test.labels[:cut], data.test.images[:cut])
            network = initial_network(generation, data)
            network.load_state_dict(made.weights)
            said = evaluate(network, data, part, generation.recipe)
            assert said.shape == (cut, 10)
            wrong = int((made.test[:cut].argmax(1) != part.labels).sum())
            assert error_percent(data.to_stored(said), part.labels.numpy()) == pytest.approx(100 * wrong / cut)

    def test_the_ensemble_divides_by_its_members(self) -> None:
        """There, by a number that is not theirs."""
        from ban_ray.evaluation.ensembles import average

        for count in (1, 2, 5):
            uniform = np.log(np.full((3, 4), 0.25, np.float32))
            assert np.exp(average([uniform] * count)).sum(1) == pytest.approx(np.ones(3))


class TestNocotan:
    def test_the_teacher_is_in_eval_mode_and_on_the_students_device(
        self, data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There, it is neither: its batch norms learn from the student's batches."""
        teacher = a_teacher(data)
        before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
        answers = watch_teachers(monkeypatch)
        train(make_generation("ban", teachers=("1" * 64,), epochs=1), teacher, data, CPU)
        assert all(parameter.device == x.device for asked, x, _ in answers for parameter in asked.parameters())
        assert same_bits(before, dict(teacher.state_dict()))
        moved = to_device(a_teacher(data), torch.device("meta"))
        assert {tensor.device.type for tensor in moved.state_dict().values()} == {"meta"}
        assert not any(module.training for module in moved.modules())

    def test_the_teachers_term_is_a_sum_over_classes_and_a_mean_over_samples(self) -> None:
        """There, torch's default mean divides by the classes too."""
        for classes in (10, 100):
            uniform = torch.full((8, classes), -np.log(classes))
            inputs = LossInputs(torch.zeros(8, classes), torch.zeros(8, dtype=torch.int64), uniform)
            assert Objective(name="ban").loss(inputs).total.item() == pytest.approx(np.log(classes), rel=1e-5)
        for temperature in (1.0, 4.0):
            chance = np.random.default_rng(0)
            z, log_p = chance.normal(size=(8, 10)), literal_losses.log_softmax(chance.normal(size=(8, 10)))
            objective = Objective(name="ban", temperature=temperature)
            inputs = LossInputs(torch.tensor(z), torch.zeros(8, dtype=torch.int64), torch.tensor(log_p))
            assert objective.loss(inputs).total.item() == pytest.approx(literal_losses.ban(z, log_p, temperature)[0])

    def test_a_resumed_generation_still_has_its_teacher(
        self, population: Population, task: Task, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There, resuming generation N trains it on labels alone."""

        class Stop(KeyboardInterrupt):
            pass

        def interrupt(report: Event) -> None:
            if isinstance(report, GenerationEvent) and report.generation == 1:
                raise Stop

        chain = chain_of(task, recipe={"epochs": 2})
        with pytest.raises(Stop):
            run_job(population, *chain.generations, report=interrupt)
        answers = watch_teachers(monkeypatch)
        assert run_job(population, *chain.generations, job_id="again").status == "done"
        assert len(answers) == 3, "one more epoch of three steps"
        history = population.history(population[chain.keys[1]])
        assert [record["epoch"] for record in history] == [1, 2]
        assert all(record["teacher_loss"] is not None and record["label_loss"] is None for record in history)

    def test_nothing_is_chosen_on_the_test_set(self, data: ImageData, make_generation: MakeGeneration) -> None:
        """There, the teacher is the epoch with the best test accuracy; here, the last one, whatever the test says."""
        generation = make_generation(epochs=3)
        first, states = train_with_states(generation, data)
        shuffled = ImagePart(data.test.labels.flip(0), data.test.images)
        other = train(generation, None, ImageData(**{**vars(data), "test": shuffled}), CPU)
        assert same_bits(first.weights, other.weights)
        assert without_times(first.history) == without_times(other.history)
        assert same_bits(first.weights, states[-1]["model"])
        assert not same_bits(first.weights, states[0]["model"])


class TestThetechdude124:
    def test_dkpp_permutes_each_samples_entries_and_not_in_place(
        self, data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There, whole rows change places in the batch, and the teacher's output is overwritten."""
        seen: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        real = dkpp.permute_dark_knowledge

        def spy(teacher: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
            before = teacher.clone()
            made = real(teacher, keys)
            seen.append((before, teacher, made))
            return made

        monkeypatch.setattr(dkpp, "permute_dark_knowledge", spy)
        train(make_generation("dkpp", teachers=("1" * 64,), epochs=1), a_teacher(data), data, CPU)
        assert seen
        for before, after, made in seen:
            assert torch.equal(before, after)
            assert torch.equal(made.sort(1).values, before.sort(1).values)
            assert torch.equal(made.argmax(1), before.argmax(1))
            assert not torch.equal(made, before)

    def test_teachers_give_probabilities_not_logits(self, data: ImageData) -> None:
        """There, raw logits are the weights and the targets."""
        for count in (1, 2):
            said = a_teacher(data, count=count)(data.normalise(data.test.images[:30]))
            assert said.exp().sum(1).numpy() == pytest.approx(np.ones(30), rel=1e-5)
            assert (said <= 0).all()

    def test_cwtm_is_divided_by_nothing_after_its_weights(self) -> None:
        """There, weights that sum to one are averaged over the batch once more."""
        for batch in (1, 16, 128):
            chance = torch.Generator().manual_seed(batch)
            log_p = torch.log_softmax(torch.randn(batch, 10, generator=chance) * 4, 1)
            labels = torch.randint(0, 10, (batch,), generator=chance)
            terms = Objective(name="cwtm").loss(LossInputs(torch.zeros(batch, 10), labels, log_p))
            assert terms.total.item() == pytest.approx(np.log(10), rel=1e-5)


class TestTorchdistill:
    def test_a_teacher_stays_in_eval_mode_inside_a_parent_that_trains(self, data: ImageData) -> None:
        """There, whoever calls `train()` on the whole wakes the teacher's dropout and batch norms."""
        teacher = a_teacher(data, "wide-resnet-10-1")
        parent = nn.ModuleDict({"teacher": teacher, "student": nn.Linear(1, 1)})
        parent.train()
        assert parent["student"].training
        assert not any(module.training for module in teacher.modules())
        images = data.normalise(data.train.images[:40])
        assert torch.equal(teacher(images), teacher(images))

    def test_the_teacher_answers_for_the_view_that_the_student_sees(
        self, data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There, answers are kept by sample, wrong as soon as a sample is cropped anew each epoch."""
        batches, answers = watch_batches(monkeypatch), watch_teachers(monkeypatch)
        teacher = a_teacher(data)
        train(make_generation("ban", teachers=("1" * 64,), epochs=2, batch_size=300), teacher, data, CPU)
        by_sample: list[torch.Tensor] = []
        for batch, (_, shown, said) in zip(batches, answers, strict=True):
            assert torch.equal(shown, batch.images)
            with torch.no_grad():
                fresh = torch.log_softmax(teacher.networks[0](batch.images), 1)
            torch.testing.assert_close(said, fresh)
            by_sample.append(said[batch.indices.argsort()])
        changed = (by_sample[0] != by_sample[1]).any(1)
        assert changed.double().mean() > 0.5, "eight of nine views differ"


def test_a_teacher_that_trained_on_held_out_samples_is_refused(population: Population, task: Task) -> None:
    """A paper-protocol teacher has seen all of them: the student's held-out error would be too good."""
    paper = chain_of(task.model_copy(update={"protocol": "paper"}), generations=0).generations[0]
    assert run_job(population, paper).status == "done"
    student = Generation(
        task=task,
        network=NETWORK,
        recipe=paper.recipe,
        objective=Objective(name="ban"),
        seed=1,
        teachers=(paper.key,),
    )
    outcome = run_job(population, student)
    assert outcome.status == "failed"
    assert "held-out" in outcome.message
    assert student.key not in population
