"""Texts in a population: what is stored of predictions, ensembles, orders from baseline to student."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load

from ban_ray.errors import DamagedMember
from ban_ray.evaluation.ensembles import combine
from ban_ray.evaluation.metrics import BITS, ERROR, PERPLEXITY
from ban_ray.evaluation.predictions import TokenOutputs, classes_of, entropies
from ban_ray.population import Population
from ban_ray.population.decoding import predictions_of
from ban_ray.population.maintenance.verify import verify
from ban_ray.population.publishing import _safetensors
from ban_ray.runtime.events import Event
from ban_ray.runtime.worker import JobTrainer
from ban_ray.specs import Objective, Recipe, Task, born_again
from ban_ray.tasks.catalog import metric_of
from ban_ray.tasks.source import Source
from ban_ray.tasks.text_data import TextData
from tests.conftest import CPU
from tests.helpers.jobs import make_job
from tests.helpers.texts import MakeText, text_task


@pytest.fixture(scope="module")
def recipe(make_text: MakeText) -> Recipe:
    return make_text(epochs=2).recipe


@pytest.mark.parametrize("network", ["lstm-1-12-d0.2", "cnn-lstm-12-d0.2"])
def test_a_chain_of_language_models(
    population: Population, text_folder: Path, text_data: TextData, recipe: Recipe, network: str
) -> None:
    """Trained, published, read back as a teacher; perplexities follow from what is stored."""
    chain = born_again(text_task(text_data.corpus), network, recipe, Objective(name="ban+l"), seed=0, generations=1)
    order = make_job(population.storage.url, *chain.generations, data_source=Source.of("text", str(text_folder)))
    reports: list[Event] = []
    outcome = JobTrainer(CPU, reports.append).train(order)
    assert outcome.status == "done", outcome.message
    assert not verify(population, grace_s=0).findings
    for key in chain.keys:
        member = population[key]
        stored = population.predictions(member)
        assert isinstance(stored.test, TokenOutputs)
        assert np.array_equal(stored.test_labels, text_data.test.labels.numpy())
        assert np.array_equal(stored.held_out_labels, text_data.held_out.labels.numpy())
        assert (stored.test.label <= stored.test.top + 1e-6).all()
        assert np.array_equal(stored.test.label[stored.test.predicted == stored.test_labels],
                              stored.test.top[stored.test.predicted == stored.test_labels])  # fmt: skip
        assert sorted(load(population.file(member, member.predictions))) == sorted(
            f"{part}{what}" for part in ("held_out", "test") for what in ("", "_labels", "_predicted", "_top")
        )
        metric = metric_of(member.generation.task)
        assert metric is PERPLEXITY
        assert metric.value_of(member) == pytest.approx(
            metric.mean(metric.losses(stored.test, stored.test_labels)), rel=1e-6
        )
        assert 1 < (metric.value_of(member, "held_out") or 0) < text_data.num_classes + 1
        noted = member.provenance
        steps = len(text_data.train) // 42
        assert (noted["images_seen"], noted["num_classes"]) == (2 * steps * 42, text_data.num_classes)
        assert noted["multiply_accumulates"]
    assert JobTrainer(CPU, reports.append).train(order).status == "done"


def outputs(seed: int, n: int = 30, classes: int = 5) -> tuple[np.ndarray, TokenOutputs, np.ndarray]:
    """Whole distributions, what is kept of them, and labels."""
    chance = np.random.default_rng(seed)
    z = chance.normal(size=(n, classes)) * 2
    whole = (z - np.log(np.exp(z).sum(1, keepdims=True))).astype(np.float32)
    labels = np.random.default_rng(0).integers(0, classes, n)
    kept = TokenOutputs(whole[np.arange(n), labels], whole.argmax(1), whole.max(1))
    return whole, kept, labels


def test_an_ensembles_perplexity_is_exact() -> None:
    """From what is kept, as from the whole distributions."""
    whole, kept, labels = zip(*(outputs(seed) for seed in (1, 2, 3)), strict=True)
    full, mine = combine(whole), combine(kept)
    assert isinstance(mine, TokenOutputs)
    assert not isinstance(full, TokenOutputs)
    losses = [metric.mean(metric.losses(one, labels[0])) for one in (full, mine) for metric in (PERPLEXITY, BITS)]
    assert losses[:2] == pytest.approx(losses[2:], rel=1e-6)
    assert (mine.top <= full.max(1) + 1e-6).all(), "a lower bound"
    # Where two of three agree with enough confidence, the prediction is known.
    sure = mine.top > np.log(0.5)
    assert sure.any()
    assert np.array_equal(mine.predicted[sure], full.argmax(1)[sure])


def test_an_ensemble_of_one_is_itself() -> None:
    _, kept, labels = outputs(4)
    mine = combine([kept])
    assert isinstance(mine, TokenOutputs)
    assert np.array_equal(mine.predicted, kept.predicted)
    np.testing.assert_allclose(mine.top, kept.top, rtol=1e-5)
    assert ERROR.mean(ERROR.losses(mine, labels)) == ERROR.mean(ERROR.losses(kept, labels))


def test_members_of_different_forms_make_no_ensemble() -> None:
    whole, kept, _ = outputs(5)
    with pytest.raises(ValueError, match="different things"):
        combine([whole, kept])


def test_what_is_not_kept_is_not_known() -> None:
    _, kept, _ = outputs(6)
    assert classes_of(kept) is None
    assert np.isnan(entropies(kept)).all()


CHANGES: dict[str, NDArray[Any]] = {
    "test_predicted": np.zeros(30, np.int32),
    "test_top": np.zeros(29, np.float32),
    "test": np.full(30, np.nan, np.float32),
    "held_out_top": np.full(30, np.nan, np.float32),
    "held_out_labels": np.zeros((30, 1), np.int64),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_strangers_predictions(name: str) -> None:
    _, kept, labels = outputs(7)
    arrays: dict[str, NDArray[Any]] = {
        f"{part}{what}": array
        for part in ("held_out", "test")
        for what, array in (("", kept.label), ("_labels", labels), ("_predicted", kept.predicted), ("_top", kept.top))
    }
    assert predictions_of(_safetensors(arrays), "key").arrays().keys() == arrays.keys()
    with pytest.raises(DamagedMember, match="member key"):
        predictions_of(_safetensors({**arrays, name: CHANGES[name]}), "key")
    with pytest.raises(DamagedMember, match="the predictions hold"):
        predictions_of(_safetensors({key: array for key, array in arrays.items() if key != name}), "key")


def test_the_metric_of_each_kind() -> None:
    tasks = {name: Task(name=name, fingerprint="0" * 64) for name in ("digits", "cifar100", "text", "ptb", "somewhere")}
    assert {name: metric_of(task).name for name, task in tasks.items()} == {
        "digits": "error",
        "cifar100": "error",
        "text": "perplexity",
        "ptb": "perplexity",
        "somewhere": "error",
    }
    assert metric_of(tasks["text"].model_copy(update={"tokens": "char"})) is BITS


def test_metrics_and_their_differences() -> None:
    """Of 8 equally likely tokens: a perplexity of 8, 3 bits; twice that is a difference of 100 ln 2 log %."""
    losses = np.full(4, np.log(8), np.float32)
    assert PERPLEXITY.mean(losses) == pytest.approx(8, rel=1e-6)
    assert BITS.mean(losses) == pytest.approx(3, rel=1e-6)
    assert PERPLEXITY.difference(16, 8) == pytest.approx(100 * np.log(2))
    assert PERPLEXITY.scale * np.log(2) == pytest.approx(PERPLEXITY.difference(16, 8))
    assert BITS.scale * np.log(2) == pytest.approx(BITS.difference(4, 3))
