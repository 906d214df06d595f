"""Gains and ensembles recomputed from raw predictions by a few lines of NumPy that share no code with analysis."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.data.study import Study
from analysis.statistics import ensembles
from analysis.statistics.comparison import frame
from analysis.statistics.comparisons import comparisons
from analysis.statistics.generation_metrics import by_class, by_generation
from analysis.statistics.scored_predictions import ScoredPredictions
from analysis.statistics.within_chain import pairs
from ban_ray.population import Member, Predictions
from tests.helpers.fabricated_population import Fabricator, distributions

SEEDS, GENERATIONS = 4, 3


@pytest.fixture
def members(fabricator: Fabricator) -> list[list[Member]]:
    return [fabricator.chain(seed, GENERATIONS) for seed in range(SEEDS)]


@pytest.fixture
def stored(fabricator: Fabricator, members: list[list[Member]]) -> list[list[Predictions]]:
    return [[fabricator.population.predictions(member) for member in chain] for chain in members]


def wrong(stored: Predictions) -> NDArray[np.float64]:
    return np.asarray(distributions(stored.test).argmax(axis=1) != stored.test_labels, dtype=np.float64)


def test_gains(study: Study, stored: list[list[Predictions]]) -> None:
    found = frame(comparisons(study, study.groups())).set_index("generation").sort_index()
    for number in range(1, GENERATIONS + 1):
        d = np.array([wrong(chain[number]) - wrong(chain[0]) for chain in stored])
        s, n = d.shape
        e = d - d.mean(1)[:, None] - d.mean(0)[None, :] + d.mean()
        a, b, r = n * d.mean(1).var(ddof=1), s * d.mean(0).var(ddof=1), (e**2).sum() / ((s - 1) * (n - 1))
        row = found.loc[number]
        assert row["difference"] == 100 * d.mean()
        assert row["standard_error"] == pytest.approx(100 * np.sqrt((max(a, r) + max(b, r) - r) / (s * n)), rel=1e-12)
        assert row["error"] == pytest.approx(100 * np.mean([wrong(chain[number]) for chain in stored]), rel=1e-12)
        assert row["against_error"] == 100 * np.mean([wrong(chain[0]) for chain in stored])
        logs = [
            [distributions(p.test)[np.arange(n), p.test_labels].mean() for p in (chain[0], chain[number])]
            for chain in stored
        ]
        assert row["log_likelihood_difference"] == pytest.approx(np.mean([b - a for a, b in logs]), rel=1e-9)
    assert list(found["primary"]) == [False, False, True]
    p = found["p"].to_numpy()[:2]
    expected = np.array([min(1, max(2 * p[0], 0)), 0]) if p[0] < p[1] else np.array([0, min(1, 2 * p[1])])
    smaller = int(p[0] > p[1])
    expected[1 - smaller] = max(expected[smaller], p[1 - smaller])
    assert found["p_holm"].to_numpy()[:2] == pytest.approx(expected)
    assert np.isnan(found["p_holm"].to_numpy()[2])


def test_every_subset_of_a_chain(study: Study, stored: list[list[Predictions]]) -> None:
    (group,) = study.groups()
    found = {one.which.generations: one for one in ensembles.of_group(study, group)}
    sizes = range(2, GENERATIONS + 2)
    assert set(found) == {subset for size in sizes for subset in combinations(range(GENERATIONS + 1), size)}
    for subset, one in found.items():
        errors, helds = [], []
        for chain in stored:
            mean = np.mean([np.exp(distributions(chain[number].test)) for number in subset], axis=0)
            errors.append(100 * np.mean(mean.argmax(1) != chain[0].test_labels))
            held = np.mean([np.exp(distributions(chain[number].held_out)) for number in subset], axis=0)
            helds.append(100 * np.mean(held.argmax(1) != chain[0].held_out_labels))
        assert one.error == np.mean(errors)
        assert one.spread == np.std(errors, ddof=1)
        assert one.held_out_error == np.mean(helds)


def test_measures(study: Study, stored: list[list[Predictions]]) -> None:
    (group,) = study.groups()
    found = by_generation(study, group, ScoredPredictions(study, group.metric)).set_index("generation")
    for number in range(GENERATIONS + 1):
        row = found.loc[number]
        probabilities = [np.exp(distributions(chain[number].test)) for chain in stored]
        assert row["confidence"] == pytest.approx(np.mean([p.max(1).mean() for p in probabilities]))
        assert row["entropy"] == pytest.approx(
            np.mean([-(p * np.log(p)).sum(1).mean() for p in probabilities]), rel=1e-6
        )
        gaps = []
        for p, chain in zip(probabilities, stored, strict=True):
            top, right = p.max(1), 1 - wrong(chain[number])
            edges = [(top > k / 15) & (top <= (k + 1) / 15) for k in range(15)]
            gaps.append(100 * sum(abs(right[at].sum() - top[at].sum()) for at in edges) / len(top))
        assert row["calibration_error"] == pytest.approx(np.mean(gaps))
        classes = [[distributions(p.test).argmax(1) for p in chain] for chain in stored]
        over_seeds = [100 * np.mean(a[number] != b[number]) for a, b in combinations(classes, 2)]
        assert row["diversity_over_seeds"] == pytest.approx(np.mean(over_seeds))
        in_chain = [
            100 * np.mean(chain[number] != chain[other]) for chain in classes for other in range(4) if other != number
        ]
        assert row["diversity_in_chain"] == pytest.approx(np.mean(in_chain))
        if number:
            agree = [100 * np.mean(chain[number] == chain[number - 1]) for chain in classes]
            assert row["agreement"] == pytest.approx(np.mean(agree))
            assert (row["teacher_confidence"], row["teacher_entropy"]) == (0.9, 0.3)
        else:
            assert np.isnan(row["agreement"]) and np.isnan(row["teacher_confidence"])


def test_single_networks_and_classes(study: Study, stored: list[list[Predictions]]) -> None:
    (group,) = study.groups()
    outcomes = ScoredPredictions(study, group.metric)
    for (_, row), chain in zip(pairs(group, outcomes).iterrows(), stored, strict=True):
        first, last = wrong(chain[0]), wrong(chain[GENERATIONS])
        assert (row["baseline_error"], row["error"]) == (100 * first.mean(), 100 * last.mean())
        assert (row["gained"], row["lost"]) == ((first > last).sum(), (first < last).sum())
        assert row["low"] <= row["error"] - row["baseline_error"] <= row["high"]
    classes = by_class(group, outcomes).set_index("label")
    for label in range(10):
        here = stored[0][0].test_labels == label
        d = np.mean([wrong(chain[GENERATIONS])[here] - wrong(chain[0])[here] for chain in stored])
        assert classes.loc[label, "difference"] == pytest.approx(100 * d)
