"""Ensembles: the average of probabilities, and which generations Ens*k holds."""

import numpy as np
import pytest

from ban_ray.evaluation.ensembles import Ensemble, average, paper_ensemble
from ban_ray.evaluation.metrics import error_percent, mean_log_likelihood
from tests.helpers.literal_losses import log_softmax


def logs(*rows: list[float]) -> np.ndarray:
    return np.log(np.array(rows, dtype=np.float64)).astype(np.float32)


def test_probabilities_are_averaged() -> None:
    one, other = logs([0.9, 0.1], [0.2, 0.8]), logs([0.5, 0.5], [0.4, 0.6])
    np.testing.assert_allclose(np.exp(average([one, other])), [[0.7, 0.3], [0.3, 0.7]], rtol=1e-6)


def test_not_logits_or_log_probabilities() -> None:
    """Two members that are sure of different things, one of them a little surer: their averages differ."""
    one, other = logs([0.9999, 1e-4, 1e-12]), logs([1e-9, 0.6, 0.4])
    assert average([one, other]).argmax(1).tolist() == [0]
    assert ((one + other) / 2).argmax(1).tolist() == [1], "the average of logarithms would choose otherwise"
    assert np.exp(average([one, other])).sum() == pytest.approx(1)


def test_large_and_small_logits() -> None:
    chance = np.random.default_rng(0)
    members = [log_softmax(chance.choice([-1e4, 0.0, 1e4], (20, 5))).astype(np.float32) for _ in range(3)]
    made = average(members)
    assert np.isfinite(made).all()
    np.testing.assert_allclose(
        np.exp(made), np.mean([np.exp(member.astype(np.float64)) for member in members], 0), atol=1e-12
    )
    far = average([np.array([[-2e4, -3e4]], np.float32), np.array([[-2e4 - 1, -4e4]], np.float32)])
    assert far[0, 0] == pytest.approx(-2e4 + np.log((1 + np.exp(-1)) / 2))


def test_one_member_is_itself_and_order_does_not_matter() -> None:
    chance = np.random.default_rng(1)
    members = [log_softmax(chance.normal(size=(9, 4))).astype(np.float32) for _ in range(3)]
    np.testing.assert_allclose(average(members[:1]), members[0], rtol=1e-12)
    np.testing.assert_allclose(average(members), average(members[::-1]), rtol=1e-12)
    assert average(members).dtype == np.float64


def test_what_cannot_be_averaged() -> None:
    with pytest.raises(ValueError, match="at least one"):
        average([])
    with pytest.raises(ValueError, match="shapes"):
        average([np.zeros((2, 3), np.float32), np.zeros((1, 3), np.float32)])


@pytest.mark.parametrize(
    ("k", "born_again", "expected"),
    [
        (2, 2, Ensemble((1, 2), False)),
        (3, 3, Ensemble((1, 2, 3), False)),
        (2, 3, Ensemble((1, 2), False)),
        (2, 9, Ensemble((1, 2), False)),
        (5, 5, Ensemble((1, 2, 3, 4, 5), False)),
        (3, 2, Ensemble((0, 1, 2), True)),
        (2, 1, Ensemble((0, 1), True)),
        (5, 4, Ensemble((0, 1, 2, 3, 4), True)),
        (3, 1, None),
        (2, 0, None),
        (5, 3, None),
    ],
)
def test_ens_k_is_ban_1_to_ban_k(k: int, born_again: int, expected: Ensemble | None) -> None:
    """The baseline is in it only where BAN-k was not trained, and then it is marked."""
    made = paper_ensemble(k, born_again)
    assert made == expected
    if made is not None:
        assert len(made.generations) == k
        assert (0 in made.generations) == made.filled


@pytest.mark.parametrize("k", [-1, 0, 1])
def test_one_network_is_no_ensemble(k: int) -> None:
    with pytest.raises(ValueError, match=f"Ens\\*{k}"):
        paper_ensemble(k, 3)


def test_errors_are_per_sample() -> None:
    predictions = logs([0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [0.4, 0.4, 0.2])
    assert error_percent(predictions, np.array([0, 0, 0])) == pytest.approx(100 / 3)
    assert error_percent(predictions, np.array([0, 2, 1])) == pytest.approx(100 / 3), "the first on a tie"
    expected = np.log([0.7, 0.7, 0.4]).mean()
    assert mean_log_likelihood(predictions, np.array([0, 2, 1])) == pytest.approx(expected, rel=1e-6)
