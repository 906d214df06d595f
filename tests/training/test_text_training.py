"""Training on text against a loop written out by hand; its states, its resume, its schedule."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ban_ray.errors import UserError
from ban_ray.networks.building import build_for
from ban_ray.networks.modules.recurrent import LSTMStack, reset_state
from ban_ray.objectives.dkpp import permute_dark_knowledge
from ban_ray.specs import Generation, derive_seed
from ban_ray.tasks.text_data import TextData
from ban_ray.training import Teacher, train
from tests.conftest import CPU
from tests.helpers.texts import MakeText
from tests.helpers.training_spies import same_bits, same_training, train_with_states

NETWORKS = ("lstm-1-10-d0", "cnn-lstm-12-d0")
OBJECTIVES = ("label", "ban", "ban+l", "cwtm", "dkpp")


def network_of(data: TextData, name: str, seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build_for(data, name)


def text_teacher(data: TextData, name: str = "lstm-1-16-d0.5", seed: int = 3) -> Teacher:
    """Untrained, but far from uniform."""
    network = network_of(data, name, seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(12)
    return Teacher([network])


def by_hand(
    generation: Generation,
    data: TextData,
    teacher: Teacher | None,
    *,
    carried: bool = True,
    taught: bool = True,
    reduction: str = "sum",
) -> dict[str, Tensor]:
    """One epoch, a step of the text after the other; states are carried for the student and for the teacher."""
    recipe, objective = generation.recipe, generation.objective.name
    network = network_of(data, generation.network, derive_seed(generation.seed, "initialisation"))
    parameters = list(network.parameters())
    length = len(data.train) // recipe.batch_size
    tokens = data.train.labels.tolist()
    streams = [tokens[k * length : (k + 1) * length] for k in range(recipe.batch_size)]
    before = [[data.end, *tokens][k * length : (k + 1) * length] for k in range(recipe.batch_size)]
    reset_state(network)
    reset_state(teacher)
    for step in range(length // recipe.unroll):
        rows = range(step * recipe.unroll, (step + 1) * recipe.unroll)
        if not carried:
            reset_state(network)
        if not taught:
            reset_state(teacher)
        inputs = torch.tensor([[stream[row] for stream in before] for row in rows])
        q = F.log_softmax(network(inputs), 1).view(recipe.unroll, recipe.batch_size, -1)
        p = teacher(inputs).view_as(q) if teacher is not None else q.detach()
        chance = torch.Generator().manual_seed(derive_seed(generation.seed, "permutation", 0, step))
        keys = torch.rand(q.shape, generator=chance)
        loss = torch.zeros(())
        for place, row in enumerate(rows):
            labels = torch.tensor([stream[row] for stream in streams])
            surprise = -q[place][torch.arange(recipe.batch_size), labels]
            if objective in ("label", "ban+l"):
                loss = loss + surprise.mean()
            if objective in ("ban", "ban+l"):
                loss = loss - (p[place].exp() * q[place]).sum(1).mean()
            if objective == "cwtm":
                confidence = p[place].exp().max(1).values
                loss = loss + (confidence / confidence.sum() * surprise).sum()
            if objective == "dkpp":
                loss = loss - (permute_dark_knowledge(p[place], keys[place]).exp() * q[place]).sum(1).mean()
        gradients = torch.autograd.grad(loss if reduction == "sum" else loss / recipe.unroll, parameters)
        norm = math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))
        share = min(1.0, (recipe.clip or math.inf) / norm)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.sub_(recipe.learning_rate * share * gradient)
    return network.state_dict()


def far(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest difference between two networks."""
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_loop_is_the_one_by_hand(text_data: TextData, make_text: MakeText, objective: str, network: str) -> None:
    """Streams, unrolled steps, carried states, reduction of the loss, clipping, for every objective."""
    generation = make_text(objective, network=network, epochs=1, clip=0.5)
    teacher = None if objective == "label" else text_teacher(text_data)
    made = train(generation, teacher, text_data, CPU).weights
    assert far(made, by_hand(generation, text_data, teacher)) < 1e-5


def test_a_state_that_is_reset_is_noticed(text_data: TextData, make_text: MakeText) -> None:
    """The student's, and the teacher's, which is another one."""
    generation = make_text("ban+l", network="lstm-1-10-d0", epochs=1)
    teacher = text_teacher(text_data)
    made = train(generation, teacher, text_data, CPU).weights
    assert far(made, by_hand(generation, text_data, teacher)) < 1e-5
    assert far(made, by_hand(generation, text_data, teacher, carried=False)) > 1e-4
    assert far(made, by_hand(generation, text_data, teacher, taught=False)) > 1e-4


def test_the_loss_is_summed_over_steps_and_averaged_over_the_batch(text_data: TextData, make_text: MakeText) -> None:
    """A mean over tokens would make the learning rate seven times too small; clipping is off, which would hide it."""
    generation = make_text(network="lstm-1-10-d0", epochs=1, clip=None)
    made = train(generation, None, text_data, CPU)
    assert far(made.weights, by_hand(generation, text_data, None)) < 1e-5
    assert far(made.weights, by_hand(generation, text_data, None, reduction="mean")) > 1e-2
    record = made.history[0]
    assert record["loss"] == pytest.approx(7 * float(record["label_loss"] or 0), rel=1e-6)


def test_every_epoch_begins_without_a_past(
    text_data: TextData, make_text: MakeText, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And goes on from batch to batch: the states that a layer is given are none, then those it gave."""
    given: list[bool] = []
    real = LSTMStack.forward

    def spy(self: LSTMStack, x: Tensor) -> Tensor:
        if self.training:
            given.append(self._state[0] is not None)
        return real(self, x)

    monkeypatch.setattr(LSTMStack, "forward", spy)
    train(make_text(), None, text_data, CPU)
    steps = len(text_data.train) // 42
    assert given == [False, *[True] * (steps - 1)] * 2


CASES = {
    "label": ("label", "lstm-2-12-d0.5", "fp32"),
    "teacher and dropout": ("ban+l", "lstm-1-12-d0.5", "fp32"),
    "permutations": ("dkpp", "lstm-1-12-d0.2", "fp32"),
    "characters": ("cwtm", "cnn-lstm-12-d0.2", "fp32"),
    "half precision": ("ban", "lstm-1-12-d0.2", "bf16"),
}


@pytest.mark.parametrize("case", CASES)
def test_resume_from_every_epoch(text_data: TextData, make_text: MakeText, case: str) -> None:
    """Killed in the middle of an epoch, a run goes on from the last whole one, to the same bits."""
    objective, network, precision = CASES[case]
    generation = make_text(objective, network=network, precision=precision, epochs=3, plateau=9)
    teacher = None if objective == "label" else text_teacher(text_data)
    whole, states = train_with_states(generation, text_data, teacher)  # type: ignore[arg-type]
    assert [record["learning_rate"] for record in whole.history] == [0.5, 0.5, 0.25], "a drop to be remembered"
    for state in states:
        torch.rand(state["epoch"])
        if teacher is not None:
            # A process that was killed leaves the text somewhere in the middle.
            teacher(text_data.train.labels[:12].view(2, 6))
        assert same_training(whole, train(generation, teacher, text_data, CPU, state=state)), state["epoch"]


def test_killed_in_the_middle_of_an_epoch(
    text_data: TextData, make_text: MakeText, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the very objects of the broken run: nothing of the half epoch is left in the teacher."""
    generation = make_text("ban+l", network="lstm-1-12-d0.5", epochs=2)
    teacher = text_teacher(text_data)
    whole, (state, _) = train_with_states(generation, text_data, teacher)  # type: ignore[arg-type]
    real, steps = TextData.training_batches, len(text_data.train) // 42

    class Killed(Exception):
        pass

    def killed(self: TextData, generation: Generation, epoch: int, mine: slice) -> object:
        for step, batch in enumerate(real(self, generation, epoch, mine)):
            if epoch == 1 and step == steps // 2:
                raise Killed
            yield batch

    with monkeypatch.context() as patch:
        patch.setattr(TextData, "training_batches", killed)
        with pytest.raises(Killed):
            train(generation, teacher, text_data, CPU)
    assert same_training(whole, train(generation, teacher, text_data, CPU, state=state))


def test_the_rate_follows_the_held_out_text(text_data: TextData, make_text: MakeText) -> None:
    """Every epoch after one whose perplexity did not fall by enough has half the rate."""
    made = train(make_text(epochs=5, plateau=0.3), None, text_data, CPU)
    perplexities = [math.exp(-float(record["held_out_log_likelihood"] or 0)) for record in made.history]
    rate, expected = 0.5, [0.5, 0.5]
    for old, new in itertools.pairwise(perplexities):
        rate *= 1 if old - new >= 0.3 else 0.5
        expected.append(rate)
    assert [record["learning_rate"] for record in made.history] == expected[:5]
    assert len(set(expected[:5])) > 1, "a case without a drop says nothing"


def test_dropout_is_a_function_of_the_step(text_data: TextData, make_text: MakeText) -> None:
    once = train(make_text(), None, text_data, CPU).weights
    torch.rand(5)
    assert same_bits(once, train(make_text(), None, text_data, CPU).weights)
    assert far(once, train(make_text(seed=2), None, text_data, CPU).weights) > 1e-3
    assert far(once, train(make_text(network="lstm-2-12-d0.3"), None, text_data, CPU).weights) > 1e-4


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"batch_size": 10_000}, r"batch size 10000 with 7 unrolled steps is larger than the \d+ training tokens; "),
        ({"unroll": 100_000}, "at least 100000 tokens are needed"),
        ({"unroll": 1}, "the recipe unrolls 1 steps in time and task text has tokens: at least 2 are needed"),
        ({"network": "densenet-bc-10-4"}, "network densenet-bc-10-4 reads images, which task text does not have"),
    ],
)
def test_what_does_not_fit_a_text(
    text_data: TextData, make_text: MakeText, fields: dict[str, object], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        train(make_text(**fields), None, text_data, CPU)


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_share_the_streams(text_data: TextData, make_text: MakeText, workers: int) -> None:
    """Each takes its own of every batch; side by side they are the whole."""
    generation, share = make_text(batch_size=6), 6 // workers
    parts = [text_data.training_batches(generation, 0, slice(k * share, (k + 1) * share)) for k in range(workers)]
    whole = list(text_data.training_batches(generation, 0, slice(0, 6)))
    assert len(whole) == len(text_data.train) // 42
    for (inputs, labels, *_), *mine in zip(whole, *parts, strict=True):
        assert torch.equal(torch.cat([part[0] for part in mine], 1), inputs)
        assert torch.equal(torch.cat([part[1].view(7, share) for part in mine], 1).flatten(), labels)


def bag(num_classes: int, in_channels: int, width: int) -> nn.Module:
    """A network of a user's: each token predicts the next, without a state."""

    class Pairs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(num_classes, width)
            self.output = nn.Linear(width, num_classes)

        def forward(self, tokens: Tensor) -> Tensor:
            logits: Tensor = self.output(self.table(tokens)).flatten(0, 1)
            return logits

    return Pairs()


def test_a_network_of_the_users(text_data: TextData, make_text: MakeText) -> None:
    own = make_text(network=f"{__name__}:bag", network_arguments={"width": 8}, clip=None, learning_rate=1)
    made = train(own, None, text_data, CPU)
    assert made.test.shape == (len(text_data.test), 3)
    assert (made.history[-1]["loss"] or 0) < (made.history[0]["loss"] or 0)
