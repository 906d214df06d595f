"""A real text, where it is at hand: a baseline and two born-again generations, by words and by characters."""

import math
from pathlib import Path
from typing import Any

import pytest

from ban_ray.evaluation.metrics import mean_log_likelihood
from ban_ray.networks.building import build_for
from ban_ray.specs import Objective, Recipe, Task, born_again
from ban_ray.tasks.catalog import metric_of
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.readers.text import read
from ban_ray.tasks.source import Source
from ban_ray.tasks.text_data import load_text
from ban_ray.tasks.text_dataset import RawText, TextDataset
from ban_ray.training import Teacher, train
from tests.conftest import CPU

DATA = Path(__file__).parents[3] / "shared" / "data" / "tinyshakespeare"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="tinyshakespeare is not at hand")

TRAINED, EVALUATED = 800, 150
"""Lines that the test has time for."""


@pytest.fixture(scope="module", params=["word", "char"])
def corpus(cache: Path, request: pytest.FixtureRequest) -> TextDataset:
    found = open_source(Source.of("text", str(DATA), tokens=request.param))
    assert isinstance(found, TextDataset)
    return found


def test_its_tokens(corpus: TextDataset) -> None:
    """Characters are those of the files; words are fewer, and more different."""
    characters = sum(len((DATA / f"{part}.txt").read_text(encoding="utf-8")) for part in ("train", "valid", "test"))
    total = len(corpus.train) + len(corpus.valid) + len(corpus.test)
    if corpus.num_classes < 100:
        # A file that does not end its last line has that end added.
        assert characters <= total <= characters + 3
        assert corpus.num_classes == 65 + 1, "65 characters of which the end of a line is one, and what is unknown"
    else:
        assert total < characters / 3
        assert corpus.num_classes > 10_000


def test_three_generations(corpus: TextDataset) -> None:
    """Each teaches the next, and is far better than a guess."""
    tokens: Any = "char" if corpus.num_classes < 100 else "word"
    lines = read([DATA / f"{part}.txt" for part in ("train", "valid", "test")], tokens)
    small = RawText(lines.train[:TRAINED], lines.valid[:EVALUATED], lines.test[:EVALUATED]).cache()
    task = Task(name="text", fingerprint=small.fingerprint, tokens=tokens)
    data = load_text(task, small, CPU)
    recipe = Recipe(
        epochs=2,
        batch_size=5,
        learning_rate=0.5,
        learning_rate_drops=(),
        learning_rate_factor=0.25,
        momentum=0,
        weight_decay=0,
        unroll=35,
        clip=5,
        plateau=0,
    )
    chain = born_again(task, "lstm-1-32-d0.2", recipe, Objective(name="ban+l"), seed=0, generations=2)
    teacher: Teacher | None = None
    for generation in chain.generations:
        made = train(generation, teacher, data, CPU)
        stored, labels = data.to_stored(made.test), small.test.astype("int64")
        perplexity = math.exp(-mean_log_likelihood(stored, labels))
        assert perplexity < small.num_classes / 2
        shown = metric_of(task).mean(metric_of(task).losses(stored, labels))
        assert shown == pytest.approx(math.log2(perplexity) if tokens == "char" else perplexity, rel=1e-5)
        network = build_for(data, generation.network)
        network.load_state_dict(made.weights)
        teacher = Teacher([network])
