"""Coverage of the intervals and sizes of the tests, by simulation of crossed, paired errors."""

import numpy as np
import pytest

from analysis.statistics import crossed_interval, mcnemar
from analysis.statistics.wording import COVERAGE_PERCENT
from tests.analysis.simulated_errors import paired_errors

REPETITIONS = 4000
LEVEL = 0.05
TWO_STANDARD_ERRORS = 2 * float(np.sqrt(LEVEL * (1 - LEVEL) / REPETITIONS))


def simulate(seeds: int, images: int, gain: float) -> tuple[float, float]:
    """Share of intervals that cover the true gain, share of tests that reject no gain."""
    rng = np.random.default_rng([seeds, images, round(1000 * gain)])
    covered = rejected = 0
    for _ in range(REPETITIONS):
        interval = crossed_interval(*paired_errors(rng, seeds, images, gain))
        covered += interval.low <= -100 * gain <= interval.high
        rejected += interval.p_value < LEVEL
    return covered / REPETITIONS, rejected / REPETITIONS


def check(seeds: int, images: int, gain: float, capsys: pytest.CaptureFixture[str]) -> None:
    covered, rejected = simulate(seeds, images, gain)
    with capsys.disabled():
        print(
            f"\n{seeds} seeds, {images} images, true gain {100 * gain:g} points: covers {100 * covered:.1f} %, "
            f"rejects {100 * rejected:.1f} %"
        )
    low, high = (COVERAGE_PERCENT[3][0], COVERAGE_PERCENT[3][1]) if seeds == 3 else (93, 97)
    assert low / 100 <= covered <= high / 100
    if not gain:
        assert rejected <= LEVEL + TWO_STANDARD_ERRORS
        # An interval and its test never disagree.
        assert rejected == pytest.approx(1 - covered)


@pytest.mark.parametrize("gain", [0.0, 0.01])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_crossed_interval_covers_the_true_gain(seeds: int, gain: float, capsys: pytest.CaptureFixture[str]) -> None:
    check(seeds, 1397, gain, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("gain", [0.0, 0.01])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_crossed_interval_covers_the_true_gain_on_many_images(
    seeds: int, gain: float, capsys: pytest.CaptureFixture[str]
) -> None:
    check(seeds, 10_000, gain, capsys)


def test_mcnemar_rejects_at_most_its_level(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    exact = mid_p = 0
    for _ in range(REPETITIONS):
        baseline, student = paired_errors(rng, 1, 1000, 0.0, spread=0.0)
        test = mcnemar(baseline[0], student[0])
        exact += test.exact < LEVEL
        mid_p += test.mid_p < LEVEL
    with capsys.disabled():
        print(f"\nMcNemar rejects {100 * exact / REPETITIONS:.1f} % exact, {100 * mid_p / REPETITIONS:.1f} % mid-p")
    assert exact / REPETITIONS <= LEVEL
    assert mid_p / REPETITIONS <= LEVEL + TWO_STANDARD_ERRORS


@pytest.mark.parametrize("seeds", [2, 3, 4, 5])
def test_the_coverage_told_beside_few_seeds_is_what_normal_theory_gives(seeds: int) -> None:
    """Over ratios of variances, with many images: only the seeds' mean square is random then."""
    from scipy.special import ndtr, stdtrit
    from scipy.stats import chi2

    shares = (np.arange(2000) + 0.5) / 2000
    found = []
    for seed_part in [0, *np.logspace(-1, 4, 30)]:
        observed = (1 + seed_part) * chi2.ppf(shares, seeds - 1) / (seeds - 1)
        for image_part in [0, *np.logspace(-1, 3, 15)]:
            # Mean squares in units of the residual's; the images' has so many degrees of freedom that it is known.
            variance = np.maximum(observed, 1) + image_part
            freedom = variance**2 / (observed**2 / (seeds - 1) + (1 + image_part) ** 2 / 5000)
            half = stdtrit(freedom, 0.975) * np.sqrt(variance)
            found.append(np.mean(2 * ndtr(half / np.sqrt(1 + seed_part + image_part)) - 1))
    low, high = COVERAGE_PERCENT.get(seeds, (94, 98))
    assert low == int(100 * min(found))
    assert high == round(100 * max(found))
