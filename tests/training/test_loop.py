"""The flat loop against one written out by hand, and what it reports."""

import math
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ban_ray.errors import GenerationFailed, UserError
from ban_ray.objectives import dkpp
from ban_ray.specs import Generation, Objective, Recipe, derive_seed
from ban_ray.tasks.image_data import ImageData, sample_crop_flip
from ban_ray.training import Teacher, train
from ban_ray.training.checkpoint import from_bytes, to_bytes
from tests.conftest import CPU, MakeGeneration
from tests.helpers.training_spies import (
    a_teacher,
    initial_network,
    same_bits,
    same_training,
    train_with_states,
    watch_batches,
    watch_teachers,
    without_times,
)


def by_hand(generation: Generation, data: ImageData, teacher: Teacher | None) -> dict[str, Tensor]:
    """SGD with Nesterov momentum and weight decay on every parameter, in plain arithmetic."""
    recipe = generation.recipe
    network = initial_network(generation, data)
    parameters = list(network.parameters())
    momenta = [torch.zeros_like(parameter) for parameter in parameters]
    for epoch in range(recipe.epochs):
        drops = sum(epoch >= Fraction(str(part)) * recipe.epochs for part in recipe.learning_rate_drops)
        rate = recipe.learning_rate * recipe.learning_rate_factor**drops
        chance = torch.Generator().manual_seed(derive_seed(generation.seed, "order", epoch))
        order = torch.randperm(len(data.train), generator=chance)
        network.train()
        for step, indices in enumerate(torch.split(order, recipe.batch_size)):
            if len(indices) < recipe.batch_size:
                continue
            draws = sample_crop_flip(generation.seed, epoch, step, recipe.batch_size, data.pad, data.flip)
            images, labels = data.training_batch(indices, draws)
            log_q = F.log_softmax(network(images), 1)
            loss = torch.zeros(())
            if "l" in generation.objective.name:
                loss = loss - log_q[torch.arange(len(labels)), labels].mean()
            if teacher is not None:
                loss = loss - (teacher(images).exp() * log_q).sum(1).mean()
            gradients = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for parameter, gradient, momentum in zip(parameters, gradients, momenta, strict=True):
                    decayed = gradient + recipe.weight_decay * parameter
                    momentum.mul_(recipe.momentum).add_(decayed)
                    parameter.sub_(rate * (decayed + recipe.momentum * momentum))
    return network.state_dict()


@pytest.mark.parametrize("objective", ["label", "ban", "ban+l"])
def test_equals_the_recipe_by_hand(data: ImageData, make_generation: MakeGeneration, objective: str) -> None:
    """A decay so strong that leaving out batch norm or biases would show; 70 does not divide 300."""
    teacher = None if objective == "label" else a_teacher(data)
    generation = make_generation(
        objective,
        epochs=4,
        batch_size=70,
        weight_decay=0.05,
        learning_rate=0.05,
        learning_rate_drops=(0.3, 0.6),
        teachers=() if teacher is None else ("1" * 64,),
    )
    made, expected = train(generation, teacher, data, CPU).weights, by_hand(generation, data, teacher)
    assert made.keys() == expected.keys()
    for name, tensor in made.items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-3, atol=1e-4, msg=partial("{}: {}".format, name))


def test_weight_decay_acts_on_every_parameter(data: ImageData, make_generation: MakeGeneration) -> None:
    """Batch norm and biases too: one step from the same state moves each parameter by its share of itself."""
    _, (state, *_) = train_with_states(make_generation(epochs=2, batch_size=300), data)
    moved = {}
    for decay in (0.0, 0.1):
        generation = make_generation(epochs=2, batch_size=300, weight_decay=decay, learning_rate_drops=())
        resumed = from_bytes(to_bytes(state))
        moved[decay] = train(generation, None, data, CPU, state=resumed).weights
    names = [name for name, _ in initial_network(make_generation(), data).named_parameters()]
    assert any("bias" in name for name in names)
    for name in names:
        # One Nesterov step: the decay enters once by itself and once through the momentum.
        expected = -0.1 * (1 + 0.9) * 0.1 * state["model"][name]
        torch.testing.assert_close(
            moved[0.1][name] - moved[0.0][name],
            expected,
            rtol=1e-3,
            atol=2e-6,
            msg=partial("{}: {}".format, name),
        )
        assert expected.abs().max() > 0


def test_the_last_partial_batch_is_dropped(
    data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watch_batches(monkeypatch)
    train(make_generation(epochs=2, batch_size=128), None, data, CPU)
    assert [len(batch.indices) for batch in seen] == [128, 128, 128, 128]
    for epoch in (seen[:2], seen[2:]):
        assert len(set(torch.cat([batch.indices for batch in epoch]).tolist())) == 256, "no sample twice in an epoch"


def test_every_epoch_has_another_order_and_other_crops(
    data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watch_batches(monkeypatch)
    train(make_generation(epochs=3, batch_size=300), None, data, CPU)
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert not torch.equal(seen[one].indices, seen[other].indices)
        assert not torch.equal(seen[one].draws.down, seen[other].draws.down)
    assert sorted(seen[0].indices.tolist()) == list(range(300))


def test_seeds_decide_order_and_crops(
    data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crops follow `augmentation_seed`, which is the generation's seed unless given; the order its seed."""
    seen = watch_batches(monkeypatch)
    for fields in ({"seed": 1}, {"seed": 2}, {"seed": 1, "augmentation_seed": 2}, {"seed": 5, "augmentation_seed": 0}):
        train(make_generation(epochs=1, batch_size=300, **fields), None, data, CPU)
    one, two, crossed, zero = seen
    assert torch.equal(one.indices, crossed.indices)
    assert torch.equal(two.draws.down, crossed.draws.down)
    assert not torch.equal(one.draws.down, crossed.draws.down)
    assert not torch.equal(one.indices, two.indices)
    expected = sample_crop_flip(0, 0, 0, 300, data.pad, data.flip)
    assert torch.equal(zero.draws.down, expected.down), "a seed of 0 is a seed"


def test_no_held_out_sample_is_ever_trained_on(
    data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watch_batches(monkeypatch)
    train(make_generation(epochs=3, batch_size=100), None, data, CPU)
    trained_on = {image.numpy().tobytes() for batch in seen for image in batch.sources}
    held_out = {image.numpy().tobytes() for image in data.held_out.images}
    test = {image.numpy().tobytes() for image in data.test.images}
    assert trained_on == {image.numpy().tobytes() for image in data.train.images}
    assert len(trained_on) == 300
    assert len(held_out) == 100
    assert not trained_on & held_out
    assert not trained_on & test


def test_test_data_decide_nothing(data: ImageData, make_generation: MakeGeneration) -> None:
    generation = make_generation(epochs=2)
    usual = train(generation, None, data, CPU)
    spoilt = ImageData(**{**vars(data), "test": type(data.test)(data.test.labels[:50], 255 - data.test.images[:50])})
    other = train(generation, None, spoilt, CPU)
    assert same_bits(usual.weights, other.weights)
    assert without_times(usual.history) == without_times(other.history)
    assert len(other.test) == 50


def test_same_arguments_same_bits(data: ImageData, make_generation: MakeGeneration) -> None:
    for network in ("densenet-bc-10-4", "wide-resnet-10-1"):
        generation = make_generation("dkpp", network=network, teachers=("1" * 64,), epochs=1, batch_size=100)
        torch.manual_seed(1)
        first = train(generation, a_teacher(data), data, CPU)
        torch.manual_seed(2)
        torch.rand(1)
        assert same_training(first, train(generation, a_teacher(data), data, CPU)), network
        other = train(generation.model_copy(update={"seed": 2}), a_teacher(data), data, CPU)
        assert not same_bits(first.weights, other.weights)


@pytest.mark.parametrize("random", ["none", "functional", "depth", "noise"])
def test_a_users_own_randomness_follows_the_seed(data: ImageData, make_generation: MakeGeneration, random: str) -> None:
    generation = make_generation(
        network="tests.training.own_networks:small", network_arguments={"random": random}, epochs=1
    )
    torch.manual_seed(1)
    first = train(generation, None, data, CPU)
    torch.manual_seed(2)
    assert same_training(first, train(generation, None, data, CPU))


def test_a_users_own_arguments_reach_the_builder(data: ImageData, make_generation: MakeGeneration) -> None:
    generation = make_generation(network="tests.training.own_networks:small", network_arguments={"width": 5}, epochs=1)
    trained = train(generation, None, data, CPU)
    assert trained.weights["stem.weight"].shape == (5, 1, 3, 3)
    assert trained.parameters == 5 * 9 + 5 + 5 * 10 + 10


def test_dkpp_permutes_anew_at_every_step_and_for_every_sample(
    data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Tensor, Tensor, Tensor]] = []
    real = dkpp.permute_dark_knowledge

    def spy(teacher: Tensor, keys: Tensor) -> Tensor:
        before = teacher.clone()
        made = real(teacher, keys)
        assert torch.equal(before, teacher), "in place"
        seen.append((before, keys.clone(), made))
        return made

    monkeypatch.setattr(dkpp, "permute_dark_knowledge", spy)
    train(make_generation("dkpp", teachers=("1" * 64,), epochs=2, batch_size=100), a_teacher(data), data, CPU)
    assert len(seen) == 6
    orders = torch.cat([keys.argsort(1) for _, keys, _ in seen])
    assert len(set(map(tuple, orders.tolist()))) > 0.99 * len(orders), "another permutation for each sample and step"
    for teacher, _, made in seen:
        assert torch.equal(teacher.sort(1).values, made.sort(1).values)


def test_the_history_says_what_happened(
    data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Means over the epoch's training views, recomputed here from what the teacher said."""
    batches, answers = watch_batches(monkeypatch), watch_teachers(monkeypatch)
    generation = make_generation(
        "ban+l", teachers=("1" * 64,), epochs=10, batch_size=100, learning_rate_drops=(0.3, 0.6, 0.8)
    )
    history = train(generation, a_teacher(data), data, CPU).history
    assert [record["epoch"] for record in history] == list(range(1, 11))
    rates = [0.1] * 3 + [0.02] * 3 + [0.004] * 2 + [0.0008] * 2
    assert [record["learning_rate"] for record in history] == pytest.approx(rates)
    for epoch, record in enumerate(history):
        said = torch.cat([answer for _, _, answer in answers[3 * epoch : 3 * epoch + 3]]).double()
        labels = torch.cat([batch.labels for batch in batches[3 * epoch : 3 * epoch + 3]])
        assert record["teacher_error"] == pytest.approx(100 * (said.argmax(1) != labels).double().mean().item())
        assert record["teacher_confidence"] == pytest.approx(said.exp().max(1).values.mean().item(), rel=1e-5)
        assert record["teacher_entropy"] == pytest.approx(-(said.exp() * said).sum(1).mean().item(), rel=1e-5)
        label, teacher = record["label_loss"], record["teacher_loss"]
        assert label is not None
        assert teacher is not None
        assert record["loss"] == pytest.approx(label + teacher, rel=1e-5)
    assert all(record["seconds"] and record["seconds"] > 0 for record in history)


@pytest.mark.parametrize(
    ("objective", "present"),
    [
        ("label", {"label_loss"}),
        ("ban", {"teacher_loss"}),
        ("ban+l", {"label_loss", "teacher_loss"}),
        ("cwtm", {"label_loss"}),
        ("dkpp", {"teacher_loss"}),
    ],
)
def test_numbers_without_meaning_are_left_out(
    data: ImageData, make_generation: MakeGeneration, objective: str, present: set[str]
) -> None:
    taught = objective != "label"
    generation = make_generation(objective, teachers=("1" * 64,) if taught else (), epochs=1)
    record = train(generation, a_teacher(data) if taught else None, data, CPU).history[0]
    assert {name for name in ("label_loss", "teacher_loss") if record[name] is not None} == present
    assert (record["teacher_error"] is not None) == taught


def test_the_last_record_is_of_the_published_predictions(data: ImageData, make_generation: MakeGeneration) -> None:
    trained = train(make_generation(), None, data, CPU)
    labels = data.held_out.labels.numpy()
    wrong = (trained.held_out.numpy().argmax(1) != labels).sum()
    assert trained.history[-1]["held_out_error"] == pytest.approx(100 * wrong / 100)
    likelihood = trained.held_out.numpy().astype(np.float64)[np.arange(100), labels].mean()
    assert trained.history[-1]["held_out_log_likelihood"] == pytest.approx(likelihood, rel=1e-6)
    for part, images in ((trained.held_out, 100), (trained.test, 1397)):
        assert part.shape == (images, 10)
        assert part.dtype == torch.float32
        assert part.exp().sum(1).numpy() == pytest.approx(np.ones(images), abs=1e-5)


def test_predictions_are_of_clean_images_in_eval_mode(data: ImageData, make_generation: MakeGeneration) -> None:
    trained = train(make_generation(), None, data, CPU)
    network = initial_network(make_generation(), data)
    network.load_state_dict(trained.weights)
    network.eval()
    for made, part in ((trained.test, data.test), (trained.held_out, data.held_out)):
        with torch.no_grad():
            expected = torch.cat([F.log_softmax(network(data.normalise(image[None])), 1) for image in part.images[:20]])
        torch.testing.assert_close(made[:20], expected, rtol=1e-4, atol=1e-5)


def test_the_paper_protocol_has_no_held_out_numbers(make_generation: MakeGeneration, digits: object) -> None:
    from ban_ray.tasks.image_data import load_images

    generation = make_generation(epochs=1, batch_size=100)
    task = generation.task.model_copy(update={"protocol": "paper"})
    everything = load_images(task, digits, CPU)  # type: ignore[arg-type]
    trained = train(generation.model_copy(update={"task": task}), None, everything, CPU)
    assert trained.history[0]["held_out_error"] is None
    assert trained.history[0]["held_out_log_likelihood"] is None
    assert trained.held_out.shape == (0, 10)
    assert trained.test.shape == (1397, 10)


@pytest.mark.parametrize("rate", [1e6, 1e30])
def test_a_loss_that_is_not_finite_ends_the_generation_with_a_sentence(
    data: ImageData, make_generation: MakeGeneration, rate: float
) -> None:
    generation = make_generation(learning_rate=rate, epochs=5, batch_size=100)
    states = []
    with pytest.raises(GenerationFailed) as caught:
        train(generation, None, data, CPU, after_epoch=lambda state: states.append(to_list(state)))
    assert caught.value.reason == "non-finite"
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert all(part in sentence for part in ("densenet-bc-10-4", "not finite", f"{rate:g}"))
    assert all(math.isfinite(loss) for losses in states for loss in losses), "no epoch is handed on as if it were done"


def to_list(state: dict[str, object]) -> list[float]:
    return [record["loss"] for record in state["history"]]  # type: ignore[attr-defined]


def test_weights_spoilt_by_the_very_last_step_are_found(data: ImageData, make_generation: MakeGeneration) -> None:
    """The loss of the only step is finite; the predictions after it are not."""
    with pytest.raises(GenerationFailed):
        train(make_generation(learning_rate=1e6, epochs=1, batch_size=300), None, data, CPU)


@pytest.mark.parametrize("batch_size", [301, 4096])
def test_a_batch_larger_than_the_data_is_refused(
    data: ImageData, make_generation: MakeGeneration, batch_size: int
) -> None:
    with pytest.raises(UserError, match=f"^batch size {batch_size} .*300 training images; allowed are 1 to 300$"):
        train(make_generation(batch_size=batch_size), None, data, CPU)


def test_a_batch_of_everything_is_allowed(data: ImageData, make_generation: MakeGeneration) -> None:
    assert train(make_generation(batch_size=300, epochs=1), None, data, CPU).history[0]["epoch"] == 1


def test_workers_that_do_not_run_are_refused(data: ImageData, make_generation: MakeGeneration) -> None:
    with pytest.raises(UserError, match="2 workers and 1"):
        train(make_generation(workers=2), None, data, CPU)


def test_the_recipe_of_this_test_is_the_papers() -> None:
    recipe = Recipe()
    assert (recipe.momentum, recipe.weight_decay, recipe.batch_size, recipe.learning_rate) == (0.9, 5e-4, 128, 0.1)
    assert Objective(name="ban").temperature == 1
