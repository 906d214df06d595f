"""Statements beside the figures of a page: their basis, their scope and the differences from the papers."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

import analysis
from analysis.data.chain_groups import from_links
from analysis.data.setting import noise_warnings, unlike_the_papers
from analysis.data.study import Study
from analysis.plots import FigureData
from analysis.plots.parameters import error_against_parameters
from analysis.report.content import Content, gather
from analysis.report.provenance import facts
from analysis.statistics.comparisons import comparisons
from analysis.tables.comparisons import comparison_table
from analysis.tables.table import Table
from ban_ray.evaluation.predictions import TokenOutputs
from ban_ray.population import Member
from ban_ray.specs import LSTM, Generation, Recipe, Task
from tests.helpers.fabricated_population import BAN, DIGITS, LABEL, Fabricator

TEXT = Task(name="text", fingerprint="1" * 64, tokens="word")
CIFAR = Task(name="cifar100", fingerprint="2" * 64, protocol="paper")


@dataclass
class TextFabricator(Fabricator):
    """The same of tokens."""

    def _part(self, part: str, count: int, seed: int, strength: float) -> tuple[TokenOutputs, NDArray[np.int64]]:  # type: ignore[override]
        whole, labels = super()._part(part, count, seed, strength)
        chosen = whole.argmax(1)
        return TokenOutputs(whole[np.arange(count), labels], chosen, whole.max(1)), labels


def table(content: Content, name: str) -> Table:
    return next(one for one in content.tables if one.name == name)


def test_chains_that_did_not_get_so_far_are_told_of_first(fabricator: Fabricator, study: Study) -> None:
    for seed in range(2):
        fabricator.chain(seed, 3)
    for seed in range(2, 4):
        fabricator.chain(seed, 1)
    content = gather(study)
    assert ", among the 2 of 4 chains that got so far (p" in content.answer.headline
    assert any("were chosen by them: the difference is biased" in remark for remark in content.answer.remarks)
    assert not any("without a look at results" in note for note in table(content, "comparisons").notes)


def test_whole_chains_are_not(fabricator: Fabricator, study: Study) -> None:
    for seed in range(3):
        fabricator.chain(seed, 2)
    content = gather(study)
    assert "among" not in content.answer.headline
    assert not any("biased" in remark for remark in content.answer.remarks)
    assert any("without a look at results" in note for note in table(content, "comparisons").notes)
    assert content.answer.remarks[0] == "Differences are of test error, in points: below zero is a gain."
    assert content.answer.sentences
    assert all("not corrected" in one or "Holm" in one for one in content.answer.sentences)


def test_one_seed_says_nothing_of_new_seeds(fabricator: Fabricator, study: Study) -> None:
    fabricator.chain(0, 2)
    content = gather(study)
    caption = table(content, "comparisons").caption
    assert "over new images, conditional on these networks" in caption
    (figure,) = (one for one in content.figures if one.name == "generations")
    assert "new seeds" not in figure.caption


def test_units_where_tasks_have_several_metrics(fabricator: Fabricator, study: Study) -> None:
    text = TextFabricator(fabricator.population, TEXT)
    for seed in range(2):
        fabricator.chain(seed, 1)
        text.chain(seed, 1, network="lstm-1-8")
    groups = from_links(analysis.data.chains.linked(study.records))
    found = comparison_table(comparisons(study, groups))
    assert found.headings[2:5] == ("Against", "Is", "Difference")
    by_task = {row[0].partition(":")[0]: row for row in found.rows}
    assert by_task["digits"][2].endswith(" %")
    assert by_task["digits"][4].endswith(" points")
    assert by_task["text"][3].endswith(" perplexity")
    assert by_task["text"][4].endswith("log % of perplexity")
    assert set(found.data["metric"]) == {"error", "perplexity"}
    measured = table(gather(study), "measures")
    assert {row[2].rpartition(" ")[2] for row in measured.rows} == {"%", "perplexity"}
    assert "%" not in measured.headings[2]


def test_predictions_of_text_are_a_frame_too(fabricator: Fabricator, study: Study) -> None:
    member = TextFabricator(fabricator.population, TEXT).member(0, network="lstm-1-8")
    frame = study.predictions([member.key])
    stored = fabricator.population.predictions(member)
    assert isinstance(stored.test, TokenOutputs)
    assert frame["log_probability"].tolist() == stored.test.label.tolist()
    assert frame["correct"].tolist() == (stored.test.predicted == stored.test_labels).tolist()
    assert frame["confidence"].tolist() == pytest.approx(np.exp(stored.test.top.astype(float)))
    assert frame["entropy"].isna().all()


def test_whom_a_warning_of_noise_concerns() -> None:
    clean = DIGITS.model_copy(update={"label_noise": 0.0})
    half = DIGITS.model_copy(update={"label_noise": 0.5})
    assert noise_warnings([clean, CIFAR]) == []
    (same,) = noise_warnings([DIGITS, DIGITS])
    assert same.startswith("30 % of the training labels")
    (one,) = noise_warnings([DIGITS, CIFAR])
    assert one.startswith("digits: 30 %")
    assert [text.partition(":")[0] for text in noise_warnings([clean, half, DIGITS])] == ["digits where so named"] * 2


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"training_images": 50_000, "held_out_images": 0, "test_images": 10_000}, ""),
        ({"training_images": 45_000, "held_out_images": 5_000, "test_images": 10_000}, ""),
        (
            {"training_images": 9_000, "held_out_images": 1_000, "test_images": 2_000},
            "10,000 training and 2,000 test images (theirs: 50,000 training and 10,000 test images)",
        ),
        ({}, "an unknown number of training and an unknown number of test images (theirs: 50,000"),
    ],
)
def test_a_part_of_the_papers_data_is_not_theirs(fabricator: Fabricator, counts: dict[str, object], told: str) -> None:
    generation = Generation(task=CIFAR, network="densenet-bc-40-12", recipe=Recipe(), objective=LABEL, seed=0)
    member = fabricator.publish(generation, strength=1.0, provenance=counts)
    found = unlike_the_papers(member)
    assert len(found) == bool(told)
    assert told in "".join(found)


def recipes(study: Study) -> str:
    groups = from_links(analysis.data.chains.linked(study.records))
    return dict(facts(study, groups, None))["Recipes"]


def test_whose_recipe_a_language_models_is(fabricator: Fabricator, study: Study) -> None:
    text = TextFabricator(fabricator.population, TEXT)
    generation = Generation(task=TEXT, network="lstm-1-8", recipe=LSTM, objective=LABEL, seed=0)
    text.publish(generation, strength=0.0)
    assert recipes(study) == "as in the papers"
    text.publish(generation.model_copy(update={"recipe": Recipe(epochs=40, batch_size=32)}), strength=0.0)
    again = Study(study.storage)
    assert "learning_rate 0.1" in recipes(again)


def test_controls_are_not_called_baselines(fabricator: Fabricator, study: Study) -> None:
    for seed in range(2):
        fabricator.chain(seed, 1)
        fabricator.member(100 + seed, objective=LABEL.model_copy(update={"label_smoothing": 0.1}), chain_seed=seed)
    groups = from_links(analysis.data.chains.linked(study.records))
    figure = error_against_parameters(FigureData(groups[0], groups))
    points = {line.get_label(): np.size(line.get_xdata()) for line in figure.axes[0].lines}
    assert points["baseline"] == 1
    assert points["on labels alone"] == 1
    assert points["BAN-1"] == 1


def test_the_readmes_frame_keeps_settings_apart(fabricator: Fabricator, study: Study) -> None:
    members: list[Member] = []
    for seed in range(2):
        members += fabricator.chain(seed, 1)
        members += fabricator.chain(seed, 1, objective=BAN.model_copy(update={"name": "ban+l"}))[1:]
    frame = study.chains
    assert {"task", "objective", "label_noise"} <= set(frame.columns)
    table = frame.groupby(["group", "generation"])["test_error"].agg(["mean", "count"])
    assert (table["count"] == 2).all()
    assert len(table) == 4
