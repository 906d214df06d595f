"""From options to a search: what an option does beside others."""

import pytest

from ban_ray.errors import UserError
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve


def test_a_split_seed_chooses_who_is_noisy_under_the_paper_protocol_too() -> None:
    options = SearchOptions(space="densenet_grid", protocol="paper", split_seed=5, label_noise=0.1)
    assert resolve(options).context.task.split_seed == 5


def test_a_teacher_of_the_population_has_use_for_a_cache() -> None:
    """Its generation 0 is taught, which is known after the choice only."""
    options = SearchOptions(space="densenet_grid", teacher="best", teacher_cache=10**9, generations=0)
    spec = resolve(options)
    assert spec.options.teacher_cache == 10**9
    assert spec.context.recipe.teacher_outputs == "cached"
    with pytest.raises(UserError, match="learns from a teacher"):
        resolve(options.model_copy(update={"teacher": "parent"}))


@pytest.mark.parametrize(
    ("only", "rows"),
    [
        ("teacher=wide-resnet-10-1", {("wide-resnet-10-1", "same network"), ("wide-resnet-10-1", "densenet-bc-16-8")}),
        ("teacher=wide-resnet-10-1, student=same network", {("wide-resnet-10-1", "same network")}),
        (
            "teacher=wide-resnet-16-1,teacher=wide-resnet-10-1,student=densenet-bc-16-8",
            {("wide-resnet-10-1", "densenet-bc-16-8"), ("wide-resnet-16-1", "densenet-bc-16-8")},
        ),
    ],
)
def test_only_some_configurations_of_a_list(only: str, rows: set[tuple[str, str]]) -> None:
    """Values of one name are alternatives; the chains are those of the whole list, keys included."""
    whole, part = (resolve(SearchOptions(space="wide_resnet_teachers", only=text)) for text in (None, only))
    chosen = [
        planned
        for planned in whole.chains
        if (planned.configuration["teacher"], planned.configuration["student"]) in rows
    ]
    assert [planned.chain for planned in part.chains] == [planned.chain for planned in chosen]
    assert 0 < len(part.chains) < len(whole.chains)
