"""Perplexity of sources whose entropy is known."""

import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ban_ray.evaluation.metrics import BITS, PERPLEXITY, error_percent, mean_log_likelihood
from ban_ray.specs import Recipe
from ban_ray.tasks.task_data import Part
from ban_ray.tasks.text_data import EVALUATION_STREAMS, TextData, load_text
from ban_ray.training import train
from ban_ray.training.evaluation import evaluate
from tests.conftest import CPU
from tests.helpers.texts import MakeText, corpus_of, text_task, write

STEPS = (0, 0, 0, 0, 1, 1, 2, 3)
"""How far a token is from the one before it, of four in a circle: 1.75 bits a token, a perplexity of 2 ** 1.75."""
TRUE = 2**1.75


def circle(tokens: int, seed: int) -> str:
    """Each step as often as its probability says, so that the empirical entropy is the source's."""
    steps = list(STEPS) * (tokens // 8)
    random.Random(seed).shuffle(steps)
    place, words = 0, []
    for step in steps:
        place = (place + step) % 4
        words.append("abcd"[place])
    return " ".join(words) + "\n"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> TextData:
    folder = write(tmp_path_factory.mktemp("source") / "circle", *(circle(n, n) for n in (16_000, 1_600, 8_000)))
    corpus = corpus_of(folder)
    return load_text(text_task(corpus), corpus, CPU)


def test_a_source_of_known_entropy(source: TextData, make_text: MakeText) -> None:
    """Learned, not told: right to three digits on a text that was not trained on."""
    generation = make_text(
        task=text_task(source.corpus),
        network="lstm-1-32-d0",
        epochs=6,
        batch_size=20,
        unroll=10,
        clip=2,
        learning_rate_drops=(0.5, 0.75),
        learning_rate_factor=0.2,
        plateau=None,
    )
    made = train(generation, None, source, CPU)
    outputs, labels = source.to_stored(made.test), source.test.labels.numpy()
    # The one end of a line is no part of the source, and a surprise.
    within = labels != source.end
    surprises = PERPLEXITY.losses(outputs, labels)[within]
    assert PERPLEXITY.mean(surprises) == pytest.approx(TRUE, rel=1.5e-3)
    assert BITS.mean(surprises) == pytest.approx(1.75, abs=2e-3)
    assert PERPLEXITY.from_field(mean_log_likelihood(outputs, labels)) == pytest.approx(TRUE, rel=5e-3)
    assert np.mean(outputs.predicted[within] != labels[within]) == pytest.approx(0.5, abs=0.01)


class Clock(nn.Module):
    """Knows the text by heart: a token's number follows from its place. Without its state it would be lost."""

    def __init__(self, period: int, classes: int) -> None:
        super().__init__()
        self.period, self.classes, self.step = period, classes, 0

    def reset_state(self) -> None:
        self.step = 0

    def forward(self, tokens: Tensor) -> Tensor:
        logits = torch.full((*tokens.shape, self.classes), math.log(1 / (2 * (self.classes - 1))))
        for row in range(len(tokens)):
            logits[row, :, (self.step + row) % self.period] = math.log(0.5)
        self.step += len(tokens)
        return logits.flatten(0, 1)


def counting(period: int, tokens: int) -> TextData:
    return text_of(torch.arange(tokens) % period, period, 0)


def text_of(labels: Tensor, classes: int, end: int) -> TextData:
    """The same tokens in each part, of no vocabulary."""
    part = Part(labels)
    return TextData(
        task="text",
        train=part,
        held_out=part,
        test=part,
        corpus=None,  # type: ignore[arg-type]
        num_classes=classes,
        in_channels=3,
        sample_shape=(),
        end=end,
    )


def test_a_state_is_carried_through_an_evaluation() -> None:
    """A period that is no divisor of the steps: a reset anywhere but at a stream's begin would cost half the tokens."""
    data = counting(16, 16 * EVALUATION_STREAMS * 40)
    clock = Clock(16, 16)
    clock(torch.zeros(5, 2, dtype=torch.int64))
    for _ in range(2):
        outputs, labels = data.to_stored(evaluate(clock, data, data.test, Recipe())), data.test.labels.numpy()
        assert mean_log_likelihood(outputs, labels) == pytest.approx(-math.log(2), rel=1e-6)
        assert error_percent(outputs, labels) == 0
        assert clock.step == 0, "nothing of the text is left for what comes next"


@pytest.mark.parametrize("tokens", [1, 5, 16, 17, 100, 35 * 16, 35 * 16 + 1, 1234])
def test_every_token_is_predicted_once_and_in_order(tokens: int) -> None:
    """From the token before it; a network that repeats its input shows which that was."""

    class Echo(nn.Module):
        def forward(self, given: Tensor) -> Tensor:
            return nn.functional.one_hot(given.flatten(), 50).double() * 40

    chance = np.random.default_rng(tokens).integers(0, 50, tokens)
    data = text_of(torch.from_numpy(chance), 50, 7)
    outputs = data.to_stored(evaluate(Echo(), data, data.test, Recipe()))
    assert outputs.predicted.tolist() == [7, *chance[:-1].tolist()]
    assert np.array_equal(outputs.label > -1, outputs.predicted == chance)
    assert outputs.label.shape == outputs.top.shape == (tokens,)


def test_bits_per_character(tmp_path: Path) -> None:
    """Every character of a line is a token, its end another; spaces count."""
    corpus = corpus_of(write(tmp_path / "text", "ab b\n\nba\n", "a\n", "bx\n"), "char")
    assert set(corpus.vocabulary) == {"a", "b", " ", "<eos>", "<unk>"}
    words = [corpus.vocabulary[token] for token in corpus.train]
    assert words == ["a", "b", " ", "b", "<eos>", "<eos>", "b", "a", "<eos>"]
    assert [corpus.vocabulary[token] for token in corpus.test] == ["b", "<unk>", "<eos>"]
