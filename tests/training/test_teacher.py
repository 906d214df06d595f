"""Teachers: other objects, in eval mode for good, without gradients, averaged as probabilities."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ban_ray.errors import UserError
from ban_ray.tasks.image_data import ImageData
from ban_ray.training import Teacher, train
from ban_ray.training.precision import to_device
from tests.conftest import CPU, MakeGeneration
from tests.helpers.training_spies import a_teacher, initial_network, same_bits, watch_batches, watch_teachers


class Parent(nn.Module):
    """Holds a teacher beside something that trains."""

    def __init__(self, teacher: Teacher) -> None:
        super().__init__()
        self.teacher = teacher
        self.student = nn.BatchNorm2d(1)


def test_eval_mode_for_good(data: ImageData) -> None:
    teacher = a_teacher(data, "wide-resnet-10-1")
    parent = Parent(teacher)
    for put in (lambda: teacher.train(), lambda: teacher.train(True), lambda: parent.train(), lambda: parent.eval()):
        put()
        assert not any(module.training for module in teacher.modules())
    parent.train()
    assert parent.student.training
    images = data.normalise(data.test.images[:50])
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    assert torch.equal(teacher(images), teacher(images)), "no dropout"
    assert torch.equal(teacher(images)[:7], teacher(images[:50])[:7])
    assert same_bits(before, dict(teacher.state_dict()))


def test_no_gradients(data: ImageData) -> None:
    teacher = a_teacher(data)
    images = data.normalise(data.test.images[:5]).requires_grad_()
    said = teacher(images)
    assert not said.requires_grad
    assert said.grad_fn is None
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_a_network_that_is_there_twice_has_twice_the_weight_and_is_computed_once() -> None:
    class Counting(nn.Module):
        def __init__(self, *logits: float) -> None:
            super().__init__()
            self.logits, self.count = torch.tensor([logits]), 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.count += 1
            return self.logits

    first, second = Counting(0.0, 1.0), Counting(2.0, -1.0)
    said = Teacher([first, second, first])(torch.zeros(1, 1))
    expected = (2 * first.logits.softmax(1) + second.logits.softmax(1)) / 3
    torch.testing.assert_close(said.exp(), expected)
    assert (first.count, second.count) == (1, 1)


@pytest.mark.parametrize("objective", ["ban", "ban+l", "cwtm", "dkpp"])
def test_training_leaves_the_teacher_as_it_is(
    data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch, objective: str
) -> None:
    teacher = a_teacher(data)
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    seen = watch_teachers(monkeypatch)
    trained = train(make_generation(objective, teachers=("1" * 64,)), teacher, data, CPU)
    assert len(seen) == 10
    assert all(asked is teacher for asked, _, _ in seen)
    assert same_bits(before, dict(teacher.state_dict())), "weights and batch-norm statistics"
    assert all(parameter.grad is None for parameter in teacher.parameters())
    theirs = {tensor.data_ptr() for tensor in teacher.state_dict().values()}
    assert not theirs & {tensor.data_ptr() for tensor in trained.weights.values()}


def test_the_teacher_sees_what_the_student_sees(
    data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches, answers = watch_batches(monkeypatch), watch_teachers(monkeypatch)
    train(make_generation("ban", teachers=("1" * 64,), batch_size=100), a_teacher(data), data, CPU)
    assert len(batches) == len(answers) == 6
    for batch, (_, shown, _) in zip(batches, answers, strict=True):
        assert torch.equal(batch.images, shown)


def test_several_teachers_probabilities_are_averaged(data: ImageData) -> None:
    teacher = a_teacher(data, count=3)
    images = data.normalise(data.test.images[:40])
    with torch.no_grad():
        expected = torch.stack([F.softmax(network(images).double(), 1) for network in teacher.networks]).mean(0)
    np.testing.assert_allclose(teacher(images).exp().double().numpy(), expected.numpy(), rtol=1e-4, atol=1e-6)


def test_confident_teachers_that_disagree() -> None:
    class Fixed(nn.Module):
        def __init__(self, *logits: float) -> None:
            super().__init__()
            self.logits = nn.Parameter(torch.tensor([logits]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.logits.expand(len(x), -1)

    said = Teacher([Fixed(1e4, 0, -1e4), Fixed(-1e4, 0, 1e4)])(torch.zeros(2, 1))
    assert torch.isfinite(said).all()
    assert said.exp().numpy() == pytest.approx(np.array([[0.5, 0, 0.5]] * 2))


def test_a_teacher_goes_to_the_students_device(data: ImageData) -> None:
    teacher = to_device(a_teacher(data), torch.device("meta"))
    assert {tensor.device.type for tensor in teacher.state_dict().values()} == {"meta"}
    assert all(
        network.get_parameter("stem.weight").is_contiguous(memory_format=torch.channels_last)
        for network in teacher.networks
    )
    assert not teacher.training


@pytest.mark.parametrize("objective", ["label", "ban"])
@pytest.mark.parametrize("shared", ["none", "copied", "frozen"])
def test_shared_layers(data: ImageData, make_generation: MakeGeneration, shared: str, objective: str) -> None:
    """Frozen ones are the teacher's to the bit after training; everything else has changed."""
    if shared == "none" and objective == "label":
        return
    teacher = a_teacher(data)
    generation = make_generation(
        objective, network="densenet-bc-10-6", teachers=("1" * 64,), shared_layers=shared, epochs=1
    )
    made, start = train(generation, teacher, data, CPU), initial_network(generation, data).state_dict()
    theirs = teacher.networks[0].state_dict()
    for name, tensor in made.weights.items():
        layer = name.split(".")[0]
        unchanged = torch.equal(tensor, theirs[name])
        assert unchanged == (shared == "frozen" and layer in ("stem", "classifier")), name
        assert not torch.equal(tensor, start[name]), name
    assert made.parameters == sum(parameter.numel() for parameter in teacher.parameters()), "frozen ones included"
    if shared == "copied":
        slow = generation.model_copy(
            update={"recipe": generation.recipe.model_copy(update={"learning_rate": 1e-12, "weight_decay": 0.0})}
        )
        begun = train(slow, teacher, data, CPU).weights
        torch.testing.assert_close(begun["stem.weight"], theirs["stem.weight"])
        torch.testing.assert_close(begun["classifier.bias"], theirs["classifier.bias"])


def test_a_label_only_student_with_shared_layers_reads_no_teacher(
    data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watch_teachers(monkeypatch)
    generation = make_generation(
        "label", network="densenet-bc-10-6", teachers=("1" * 64,), shared_layers="frozen", epochs=1
    )
    record = train(generation, a_teacher(data), data, CPU).history[0]
    assert not seen
    assert record["teacher_error"] is None


def test_layers_of_another_shape_cannot_be_shared(data: ImageData, make_generation: MakeGeneration) -> None:
    generation = make_generation("ban", network="densenet-bc-10-4", teachers=("1" * 64,), shared_layers="frozen")
    with pytest.raises(UserError, match="'stem' cannot be shared") as caught:
        train(generation, a_teacher(data), data, CPU)
    assert "\n" not in str(caught.value)


def test_layers_that_are_not_there_cannot_be_shared(data: ImageData, make_generation: MakeGeneration) -> None:
    generation = make_generation("ban", teachers=("1" * 64,), shared_layers="copied")
    with pytest.raises(UserError, match="without a layer 'stem'"):
        train(generation, Teacher([nn.Sequential(nn.Flatten(), nn.Linear(64, 10))]), data, CPU)
