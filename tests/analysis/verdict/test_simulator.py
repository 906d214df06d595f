"""The verdict on simulated studies, whose truth is known."""

import numpy as np
import pytest

from analysis.verdict.choice import Choice, interval_of
from analysis.verdict.verdict import Deployment, decide
from tests.analysis.verdict.simulated_study import Size, Truth, study

REPETITIONS = 200
SIZES = {
    "little noise": Size(10, 0.002, 5_000, 10_000),
    "some noise": Size(5, 0.005, 2_000, 5_000),
    "much noise": Size(3, 0.010, 1_000, 2_000),
}
GAINS = (0.0, 0.01, 0.03)


def truths(rng: np.random.Generator, added: float) -> tuple[list[Truth], list[Truth]]:
    """Networks and ensembles of a study in which distillation adds so much to the best that costs no more."""
    averaged, tuned, smoothed, longer, ensembled = rng.choice(GAINS, 5)
    best = max(averaged, tuned, smoothed, longer)
    several = max(ensembled, 0.01)
    networks = [
        Truth("baseline", 1, "undistilled", 0.0),
        Truth("EMA", 1, "undistilled", averaged),
        Truth("early stopping", 1, "undistilled", averaged / 2),
        Truth("recipe 1", 3, "undistilled", tuned),
        Truth("recipe 2", 3, "undistilled", -0.01),
        Truth("smoothing 1", 3, "undistilled", smoothed),
        Truth("smoothing 2", 3, "undistilled", smoothed / 2),
        Truth("all epochs", 3, "undistilled", longer),
        Truth("BAN-1 by ban+l", 2, "distilled", averaged + added / 2 if added else averaged),
        Truth("BAN-2 by ban+l", 3, "distilled", best + added),
        Truth("BAN-1 by ban", 2, "distilled", -0.02),
        Truth("BAN-2 by ban", 3, "distilled", best + added),
    ]
    ensembles = [
        Truth("2 networks", 2, "undistilled", several / 2),
        Truth("3 networks", 3, "undistilled", several),
        Truth("baseline to BAN-1", 2, "distilled", several / 2),
        Truth("BAN-1 to BAN-2", 3, "distilled", several + added),
        Truth("baseline to BAN-2", 3, "distilled", several + added / 2),
    ]
    return networks, ensembles


def is_best(deployment: Deployment, among: list[Truth], choices: tuple[Choice, ...]) -> tuple[bool, float]:
    """Whether the named choice is as good as the truly best one, or test data cannot tell them apart; how much worse it
    is in truth, in points."""
    named = choices.index(deployment.choice)
    best = max(range(len(among)), key=lambda n: (among[n].gain, -among[n].cost))
    regret = 100 * (among[best].gain - among[named].gain)
    interval = interval_of(choices[named], choices[best], "test", 100.0)
    assert interval is not None
    return regret == 0 or interval.low <= 0, regret


def is_claimed(deployment: Deployment) -> bool:
    assert deployment.added is not None
    return deployment.added.interval.high < 0


@pytest.mark.slow
@pytest.mark.parametrize("noise", SIZES)
def test_the_verdict_names_the_best_and_claims_no_gain_that_is_not_there(
    noise: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(list(SIZES).index(noise))
    named: dict[float, list[bool]] = {0.0: [], 0.02: []}
    regrets: list[float] = []
    claimed: dict[tuple[str, float], list[bool]] = {}
    for repetition in range(2 * REPETITIONS):
        added = 0.02 * (repetition % 2)
        networks, ensembles = truths(rng, added)
        choices = study(rng, SIZES[noise], networks, ensembles)
        verdict = decide(choices)
        parts = (("network", networks, choices.networks), ("ensemble", ensembles, choices.ensembles))
        for part, among, made in parts:
            deployment: Deployment = getattr(verdict, part)
            found, regret = is_best(deployment, among, made)
            named[added].append(found)
            regrets.append(regret)
            claimed.setdefault((part, added), []).append(is_claimed(deployment))
    shares = {key: float(np.mean(values)) for key, values in claimed.items()}
    best = {added: float(np.mean(values)) for added, values in named.items()}
    with capsys.disabled():
        print(
            f"\n{noise}: names the best or one indistinguishable from it in {100 * best[0.0]:.1f} % (no gain of "
            f"distillation) and {100 * best[0.02]:.1f} % (a gain of 2 points), {np.mean(regrets):.2f} points worse on "
            f"average; claims a gain that is not there in {100 * shares['network', 0.0]:.1f} % (networks) and "
            f"{100 * shares['ensemble', 0.0]:.1f} % (ensembles), finds one of 2 points in "
            f"{100 * shares['network', 0.02]:.1f} % and {100 * shares['ensemble', 0.02]:.1f} %"
        )
    assert min(best.values()) >= 0.95
    assert max(shares["network", 0.0], shares["ensemble", 0.0]) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_many_distilled_choices_of_which_one_is_lucky_are_no_gain(
    seeds: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eight to choose from against one, and networks that differ more by luck than images can show."""
    rng = np.random.default_rng(seeds)
    students = [Truth(f"BAN-1 by {n}", 2, "distilled", 0.0) for n in range(8)]
    size = Size(seeds, 0.02, 2_000, 5_000)
    claimed = []
    for _ in range(2 * REPETITIONS):
        verdict = decide(study(rng, size, [Truth("baseline", 1, "undistilled", 0.0), *students], []))
        assert verdict.network is not None
        claimed.append(is_claimed(verdict.network))
    with capsys.disabled():
        print(f"\n{seeds} seeds, 8 equal students: claims a gain that is not there in {100 * np.mean(claimed):.1f} %")
    assert np.mean(claimed) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / len(claimed))
