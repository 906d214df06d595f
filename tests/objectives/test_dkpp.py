"""The permutation of DKPP."""

from collections import Counter
from itertools import permutations

import pytest
import torch
from torch import Tensor

from ban_ray.objectives.dkpp import permute_dark_knowledge


def uniform_draws(rows: int, classes: int, seed: int = 0) -> Tensor:
    return torch.rand(rows, classes, generator=torch.Generator().manual_seed(seed))


def rows_of_log_probabilities(rows: int, classes: int, seed: int = 1) -> Tensor:
    return torch.log_softmax(torch.randn(rows, classes, generator=torch.Generator().manual_seed(seed)) * 3, 1)


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_the_permutation_keeps_the_argmax_and_each_rows_entries(classes: int) -> None:
    teacher = rows_of_log_probabilities(300, classes)
    before = teacher.clone()
    permuted = permute_dark_knowledge(teacher, uniform_draws(300, classes))
    assert torch.equal(teacher, before), "not in place"
    assert torch.equal(permuted.argmax(1), teacher.argmax(1))
    assert torch.equal(permuted.max(1).values, teacher.max(1).values)
    assert torch.equal(permuted.sort(1).values, teacher.sort(1).values), "each row keeps its own entries"
    if classes > 3:
        moved = (permuted != teacher).sum(1)
        assert moved.double().mean() > classes - 3, "a random permutation leaves one of its entries on average"
    if classes == 2:
        assert torch.equal(permuted, teacher)


def test_of_tied_entries_the_first_is_the_argmax() -> None:
    teacher = torch.log(torch.tensor([[0.1, 0.4, 0.4, 0.1], [0.25, 0.25, 0.25, 0.25], [0.3, 0.3, 0.0, 0.4]])).repeat(
        50, 1
    )
    classes = torch.arange(4.0).expand(150, 4)
    permuted = permute_dark_knowledge(teacher, uniform_draws(150, 4))
    assert torch.equal(permuted[0::3, 1], teacher[0::3, 1])
    assert permuted[0::3, 2].eq(teacher[0, 0]).any(), "the second of the tied entries moves"
    assert torch.equal(permuted[2::3, 3], teacher[2::3, 3])
    # All entries alike: which of them moved is read off distinct values.
    marked = classes.clone()
    marked[:, 0] = 9
    assert torch.equal(permute_dark_knowledge(marked, uniform_draws(150, 4))[:, 0], marked[:, 0])


def test_permutations_of_the_samples_are_independent_and_equally_likely() -> None:
    """Each of the six permutations of three entries, equally often, over rows that are all alike."""
    rows = 6000
    teacher = torch.log(torch.tensor([0.1, 0.2, 0.4, 0.3])).expand(rows, 4)
    permuted = permute_dark_knowledge(teacher, uniform_draws(rows, 4))
    assert (permuted[:, 2] == teacher[0, 2]).all()
    counts = Counter(map(tuple, permuted[:, [0, 1, 3]].exp().mul(10).round().int().tolist()))
    assert set(counts) == set(permutations((1, 2, 3)))
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 20.5, "5 degrees of freedom, p = 0.001"
    redrawn = permute_dark_knowledge(teacher, uniform_draws(rows, 4, seed=5))
    assert not torch.equal(permuted, redrawn)
    assert torch.equal(permuted, permute_dark_knowledge(teacher, uniform_draws(rows, 4)))


def test_the_permutation_of_a_row_does_not_depend_on_the_others() -> None:
    teacher, draws = rows_of_log_probabilities(40, 6), uniform_draws(40, 6)
    whole = permute_dark_knowledge(teacher, draws)
    single = torch.cat([permute_dark_knowledge(teacher[i : i + 1], draws[i : i + 1]) for i in range(40)])
    assert torch.equal(whole, single)
