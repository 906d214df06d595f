"""Options that would be without effect in every chain are refused; in some chains an effect is enough."""

from typing import Any

import pytest

from ban_ray.errors import UserError
from ban_ray.search.config.checks import reject_ineffective_options
from ban_ray.search.config.options import SearchOptions
from ban_ray.specs import Chain, Objective, Recipe, Task, born_again

TASK = Task(name="digits", fingerprint="0" * 64)


def chain(network: str, generations: int, *, cached: bool = False) -> Chain:
    recipe = Recipe(epochs=1, teacher_outputs="cached" if cached else "online")
    return born_again(TASK, network, recipe, Objective(name="ban"), seed=0, generations=generations)


DENSE, WIDE = "densenet-bc-10-4", "wide-resnet-10-1"


def reject(chains: list[Chain], **options: Any) -> None:
    reject_ineffective_options(chains, SearchOptions(space="chain", **options), teacher_pending=False)


def test_an_effect_in_one_chain_is_enough() -> None:
    chains = [chain(WIDE, 0, cached=True), chain(DENSE, 1, cached=True)]
    reject(chains, teacher_cache=10**9, recompute=True, target="ensemble")
    reject([chain(WIDE, 0)], target="last")
    reject([chain(WIDE, 0)])


@pytest.mark.parametrize(
    ("chains", "options", "reason"),
    [
        ([chain(DENSE, 0, cached=True)] * 2, {"teacher_cache": 10**9}, "no network here learns from a teacher"),
        ([chain(WIDE, 1)], {"recompute": True}, "wide-resnet-10-1 has none"),
        ([chain(DENSE, 0), chain(WIDE, 0)], {"target": "best"}, "--target 'best' has no effect"),
    ],
)
def test_no_effect_in_any_chain_is_refused(chains: list[Chain], options: dict[str, Any], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        reject(chains, **options)


def test_a_teacher_that_is_not_selected_yet_has_outputs_to_cache() -> None:
    options = SearchOptions(space="densenet_grid", teacher_cache=10**9)
    reject_ineffective_options([chain(DENSE, 0)], options, teacher_pending=True)
