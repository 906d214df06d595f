"""The one-shot estimate of the teacher's share, against simulated predictions whose best share is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.data.chains import RecordedChain
from analysis.data.study import Study
from analysis.statistics.teacher_share import MixedPredictions, estimate_share, teacher_share
from ban_ray.specs import Objective
from tests.helpers.fabricated_population import Fabricator

CLASSES = 5


def predictions(rng: np.random.Generator, seeds: int, images: int, best: float) -> list[MixedPredictions]:
    """Labels follow the mean network's mixture at share `best`; each network has noise of its own."""
    base = rng.normal(size=(images, CLASSES))
    direction = rng.normal(size=(images, CLASSES))
    labels = (base + best * direction + rng.gumbel(size=base.shape)).argmax(1)

    def noise(of: NDArray[np.float64]) -> NDArray[np.float64]:
        return 0.3 * rng.normal(size=of.shape)

    return [MixedPredictions(base + noise(base), direction + noise(base), labels) for _ in range(seeds)]


def chains(count: int) -> list[RecordedChain]:
    return [RecordedChain(seed, (f"{seed}a", f"{seed}b"), (None, None), root=str(seed)) for seed in range(count)]


@pytest.mark.parametrize("best", [-0.5, 0.7, 1.6])
@pytest.mark.parametrize("seeds", [1, 4])
def test_its_interval_covers_the_best_share(best: float, seeds: int, capsys: pytest.CaptureFixture[str]) -> None:
    truth = estimate_share(predictions(np.random.default_rng(0), 4, 60_000, best), chains(4))
    assert truth is not None
    assert truth.estimate == pytest.approx(best, abs=0.2), "noise alone moves it"
    rng, covered, widths = np.random.default_rng(1), 0, []
    repetitions = 200
    for _ in range(repetitions):
        share = estimate_share(predictions(rng, seeds, 250, best), chains(seeds))
        assert share is not None
        covered += share.low <= truth.estimate <= share.high
        widths.append(share.high - share.low)
    with capsys.disabled():
        print(f"\nbest {best}, {seeds} seeds: covers {100 * covered / repetitions:.1f} %, width {np.mean(widths):.2f}")
    assert 0.9 <= covered / repetitions <= 0.99


def test_the_estimate_has_the_least_loss() -> None:
    parts = predictions(np.random.default_rng(3), 3, 300, 0.6)
    share = estimate_share(parts, chains(3))
    assert share is not None

    def loss(at: float) -> float:
        return float(np.mean([part.losses(at).mean() for part in parts]))

    assert share.loss == pytest.approx(loss(share.estimate))
    assert (share.loss_of_labels, share.loss_of_teacher) == pytest.approx((loss(0.0), loss(1.0)))
    for other in np.linspace(-3, 3, 61):
        assert loss(float(other)) >= share.loss - 1e-12
    literal = parts[0].base + 0.4 * parts[0].direction
    q = np.exp(literal) / np.exp(literal).sum(1, keepdims=True)
    np.testing.assert_allclose(parts[0].losses(0.4), -np.log(q[np.arange(300), parts[0].labels]))


@pytest.mark.parametrize(("objective", "given"), [("ban", 1.0), ("mix:xi=0.8", 0.8), ("mix", 0.5)])
def test_of_a_recorded_group(fabricator: Fabricator, study: Study, objective: str, given: float) -> None:
    for seed in range(3):
        fabricator.chain(seed, 1, objective=Objective.parse(objective))
    (group,) = (group for group in study.groups() if group.last)
    share = teacher_share(study, group)
    assert share is not None
    assert share.chains == 3
    parts = []
    for chain in group.chains:
        first, second = (study.read_predictions(key) for key in chain.keys)
        assert first is not None
        assert second is not None
        base, end = (np.asarray(part.held_out, dtype=np.float64) for part in (first, second))
        parts.append(MixedPredictions(base, (end - base) / given, np.asarray(first.held_out_labels)))
    expected = estimate_share(parts, group.chains)
    assert expected is not None
    assert share.estimate == pytest.approx(expected.estimate, abs=1e-5)


@pytest.mark.parametrize("objective", ["ban+l", "ban:temperature=2", "cwtm", "mix:xi=0", "mix:temperature=2"])
def test_other_objectives_tell_nothing_of_it(fabricator: Fabricator, study: Study, objective: str) -> None:
    fabricator.chain(0, 1, objective=Objective.parse(objective))
    (group,) = (group for group in study.groups() if group.last)
    assert teacher_share(study, group) is None


def test_without_held_out_samples_there_is_none(fabricator: Fabricator, study: Study) -> None:
    fabricator.held_out = 0
    fabricator.chain(0, 1)
    (group,) = (group for group in study.groups() if group.last)
    assert teacher_share(study, group) is None


def test_a_loss_that_falls_for_ever_has_no_best_share() -> None:
    labels = np.zeros(20, dtype=np.int64)
    direction = np.zeros((20, CLASSES))
    direction[:, 0] = 1
    assert estimate_share([MixedPredictions(np.zeros((20, CLASSES)), direction, labels)], chains(1)) is None
