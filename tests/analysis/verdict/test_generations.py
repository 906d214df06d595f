"""The number of generations, its interval and the shape of the curve."""

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.statistics import crossed_interval
from analysis.verdict.choice import Choice
from analysis.verdict.generations import Shape, best_number, interval_of_lowest
from tests.analysis.verdict.simulated_study import Size, Truth, study

COVERED = 0.95


def chain(*errors: float, seeds: int = 4, samples: int = 3000) -> list[Choice]:
    """A chain of these shares of errors, on shared samples."""
    hard = np.random.default_rng(0).random(samples)
    luck = np.random.default_rng(1).random((len(errors), seeds, samples))
    losses = [
        [(0.3 * own + 0.7 * hard < share).astype(np.int8) for own in of] for share, of in zip(errors, luck, strict=True)
    ]
    return [Choice(str(n), n + 1, "distilled", dict(enumerate(of)), dict(enumerate(of))) for n, of in enumerate(losses)]


@pytest.mark.parametrize(
    ("errors", "number", "shape"),
    [
        ((0.30, 0.25, 0.20), 2, "gain"),
        ((0.30, 0.20, 0.25, 0.30), 1, "collapse"),
        ((0.30, 0.35, 0.40), 0, "loss"),
    ],
)
def test_the_number_and_the_shape(errors: tuple[float, ...], number: int, shape: Shape) -> None:
    found = best_number(chain(*errors), "ban", 100)
    assert found is not None
    assert found.shape == shape
    assert found.low <= found.number <= found.high
    assert found.number == number
    assert (found.gain is None) == (found.number == 0)
    assert (found.after is None) == (found.number == found.last)


def test_what_further_generations_do_not_change_is_saturated() -> None:
    first, second = chain(0.3, 0.2)
    found = best_number([first, second, second], "ban", 100)
    assert found is not None
    assert (found.number, found.last, found.shape) == (1, 2, "saturation")


def test_chains_that_are_alike_have_no_shape() -> None:
    same = chain(0.3)
    found = best_number([same[0], same[0], same[0]], "ban", 100)
    assert found is not None
    assert (found.number, found.shape) == (0, "nothing distinguishable")


def test_without_a_common_seed_there_is_no_number() -> None:
    (first,) = chain(0.3)
    assert best_number([first, Choice("1", 2, "distilled", {}, {})], "ban", 100) is None


@pytest.mark.slow
@pytest.mark.parametrize("size", [Size(3, 0.01, 1000, 10), Size(5, 0.005, 2000, 10), Size(10, 0.002, 5000, 10)])
def test_the_interval_of_the_number_covers_the_best(size: Size, capsys: pytest.CaptureFixture[str]) -> None:
    """Of curves that gain, saturate or collapse; where several numbers are equally good, one of them is covered."""
    rng = np.random.default_rng(size.seeds)
    covered, widths = [], []
    for repetition in range(300):
        gains = [(0.0, 0.01, 0.02, 0.03), (0.0, 0.02, 0.02, 0.02), (0.0, 0.02, 0.01, 0.0), (0.0, 0.0, 0.0, 0.0)][
            repetition % 4
        ]
        networks = [Truth(str(n), n + 1, "distilled" if n else "undistilled", gain) for n, gain in enumerate(gains)]
        made = study(rng, size, networks, []).networks
        held_out: NDArray[np.float64] = np.stack([list(choice.held_out.values()) for choice in made]).astype(float)
        low, high = interval_of_lowest(held_out, resamples=300)
        covered.append(any(low <= n <= high for n, gain in enumerate(gains) if gain == max(gains)))
        widths.append(high - low)
    with capsys.disabled():
        print(f"\n{size}: covers {100 * np.mean(covered):.1f} %, {np.mean(widths):.2f} generations wide on average")
    assert np.mean(covered) >= COVERED


def test_shapes_rest_on_test_data_alone() -> None:
    """Held-out data choose generation 1; on test it is no gain."""
    first, second = chain(0.3, 0.2)
    plain = chain(0.3, 0.3)[1]
    found = best_number([first, Choice("1", 2, "distilled", second.held_out, plain.test)], "ban", 100)
    assert found is not None
    assert found.number == 1
    assert found.shape == "nothing distinguishable"
    expected = crossed_interval(np.stack(list(first.test.values())), np.stack(list(plain.test.values())))
    assert found.gain == expected
