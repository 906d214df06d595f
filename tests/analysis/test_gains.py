"""Intervals, tests and sentences against formulas written out by hand."""

import numpy as np
import pytest
from scipy import stats

from analysis.statistics import crossed_interval, holm, mcnemar, paired_bootstrap, reliability, sentence
from tests.analysis.simulated_errors import paired_errors


def errors(
    seeds: int = 6, images: int = 400, gain: float = 0.05, spread: float = 0.03
) -> tuple[np.ndarray, np.ndarray]:
    return paired_errors(np.random.default_rng(1), seeds, images, gain, spread=spread)


def test_the_variance_is_the_crossed_one() -> None:
    baseline, student = errors()
    difference = student.astype(float) - baseline
    seeds, images = difference.shape
    residual = difference - difference.mean(1, keepdims=True) - difference.mean(0) + difference.mean()
    by_seed = difference.mean(1).var(ddof=1) / seeds
    by_image = difference.mean(0).var(ddof=1) / images
    rest = (residual**2).sum() / ((seeds - 1) * (images - 1)) / (seeds * images)
    assert by_seed > rest and by_image > rest
    variance = by_seed + by_image - rest
    freedom = variance**2 / (
        by_seed**2 / (seeds - 1) + by_image**2 / (images - 1) + rest**2 / ((seeds - 1) * (images - 1))
    )
    found = crossed_interval(baseline, student)
    assert found.estimate == pytest.approx(100 * difference.mean(), rel=1e-12)
    assert found.standard_error == pytest.approx(100 * np.sqrt(variance), rel=1e-9)
    assert found.degrees_of_freedom == pytest.approx(freedom, rel=1e-9)
    half = stats.t.ppf(0.975, freedom) * found.standard_error
    assert (found.low, found.high) == pytest.approx((found.estimate - half, found.estimate + half), rel=1e-9)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(found.estimate) / found.standard_error, freedom))
    power = stats.t.ppf(0.975, freedom) + stats.t.ppf(0.8, freedom)
    assert found.smallest_detectable == pytest.approx(power * found.standard_error)


def test_a_lucky_draw_of_seeds_does_not_shrink_the_variance_below_the_images_own() -> None:
    baseline, student = errors(seeds=3, spread=0.0)
    difference = student.astype(float) - baseline
    # Seed means made equal: their variance is estimated as far below zero as it can be.
    difference -= difference.mean(1, keepdims=True) - difference.mean()
    found = crossed_interval(np.zeros_like(difference), difference)
    assert found.standard_error == pytest.approx(100 * np.sqrt(difference.mean(0).var(ddof=1) / 400))


def test_one_seed_is_conditional_on_its_networks() -> None:
    baseline, student = errors(seeds=1)
    found = crossed_interval(baseline, student)
    difference = student[0].astype(float) - baseline[0]
    assert found.scope == "conditional on these networks"
    assert found.standard_error == pytest.approx(100 * difference.std(ddof=1) / np.sqrt(400))
    assert "conditional on these networks" in sentence(found, "BAN-1")
    assert reliability(found).startswith("One seed")


def test_chains_of_one_root_are_one_cluster() -> None:
    baseline, student = errors(seeds=6)
    found = crossed_interval(baseline, student, roots=list("aabbcc"))
    pooled = (student.astype(float) - baseline).reshape(3, 2, -1).mean(1)
    alone = crossed_interval(np.zeros_like(pooled), pooled)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high))
    assert (found.chains, found.roots) == (6, 3)
    assert sentence(found, "BAN-1").endswith("6 chains from 3 roots")


def test_one_root_is_conditional_on_this_teacher() -> None:
    baseline, student = errors(seeds=4)
    found = crossed_interval(baseline, student, roots=["one"] * 4)
    assert found.scope == "conditional on this teacher"
    assert sentence(found, "BAN-1").endswith("4 chains from 1 root, conditional on this teacher")
    assert found.high == crossed_interval(baseline, student).high


def test_networks_that_decide_alike_have_no_gain_and_no_error() -> None:
    baseline, _ = errors()
    found = crossed_interval(baseline, baseline)
    assert (found.estimate, found.low, found.high, found.p_value) == (0, 0, 0, 1)
    assert sentence(found, "BAN-1") == (
        "BAN-1 against baseline: no gain distinguishable at this size: 0.00 points [0.00, 0.00], 6 seeds"
    )


@pytest.mark.parametrize(
    ("baseline", "student", "roots"),
    [
        (np.zeros((2, 5)), np.zeros((2, 6)), None),
        (np.zeros((2, 1)), np.zeros((2, 1)), None),
        (np.zeros((2, 5)), np.full((2, 5), np.nan), None),
        (np.zeros((2, 5)), np.zeros((2, 5)), ["a"]),
        (np.zeros((0, 5)), np.zeros((0, 5)), None),
    ],
)
def test_what_cannot_be_compared_is_refused(baseline: np.ndarray, student: np.ndarray, roots: list[str] | None) -> None:
    with pytest.raises(ValueError):
        crossed_interval(baseline, student, roots=roots)


def test_sentences_say_gain_loss_or_neither() -> None:
    baseline, student = errors(seeds=8, gain=0.08, spread=0.003)
    gain = crossed_interval(baseline, student)
    assert sentence(gain, "BAN-3") == (
        f"BAN-3 against baseline: {gain.estimate:.1f} points [{gain.low:.1f}, {gain.high:.1f}], 8 seeds"
    )
    assert gain.estimate < 0
    assert sentence(crossed_interval(student, baseline), "BAN-3").startswith("BAN-3 against baseline: worse, ")
    nothing = crossed_interval(*errors(seeds=3, gain=0.0))
    assert "no gain distinguishable at this size: " in sentence(nothing, "BAN-3", "its teacher")
    assert "BAN-3 against its teacher" in sentence(nothing, "BAN-3", "its teacher")


def test_mcnemar_counts_the_images_that_one_network_gets_wrong() -> None:
    baseline = np.array([1] * 10 + [0] * 2 + [1] * 5 + [0] * 83)
    student = np.array([0] * 10 + [1] * 2 + [1] * 5 + [0] * 83)
    found = mcnemar(baseline, student)
    assert (found.gained, found.lost) == (10, 2)
    # Binomial(12, 1/2): P(X <= 2) = 79 / 4096, P(X = 2) = 66 / 4096.
    assert found.exact == pytest.approx(2 * 79 / 4096)
    assert found.mid_p == pytest.approx((2 * 79 - 66) / 4096)


@pytest.mark.parametrize(("gained", "mid_p"), [(0, 1.0), (1, 1 - 0.5 * 0.5), (3, 1 - 0.5 * 20 / 64)])
def test_mcnemar_at_equal_counts(gained: int, mid_p: float) -> None:
    baseline = np.array([1] * gained + [0] * gained + [0])
    found = mcnemar(baseline, np.concatenate([1 - baseline[:-1], [0]]))
    assert found.exact == 1.0
    assert found.mid_p == pytest.approx(mid_p)


def test_the_paired_bootstrap_is_that_of_resampled_images() -> None:
    baseline, student = (part[0] for part in errors(seeds=1, images=300))
    found = paired_bootstrap(baseline, student, resamples=40_000)
    plain = stats.bootstrap(
        (student.astype(float) - baseline,), np.mean, n_resamples=40_000, method="percentile", rng=0, batch=2000
    ).confidence_interval
    assert found == pytest.approx((100 * plain.low, 100 * plain.high), abs=0.35)
    assert found == paired_bootstrap(baseline, student, resamples=40_000)


@pytest.mark.parametrize("bad", [np.array([0, 2]), np.array([0.5, 1]), np.zeros((2, 2)), np.array([])])
def test_errors_of_two_networks_are_zeros_and_ones(bad: np.ndarray) -> None:
    with pytest.raises(ValueError):
        mcnemar(bad, bad)
    with pytest.raises(ValueError):
        paired_bootstrap(bad, bad)


def test_holm_against_a_hand_example() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, made monotone: 0.02, 0.03, 0.06, 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == pytest.approx([1.0, 1.0])
    assert len(holm([])) == 0
    with pytest.raises(ValueError):
        holm([1.2])
