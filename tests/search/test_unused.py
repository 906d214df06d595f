"""Options that would be without effect in every chain are refused; in some chains an effect is enough."""

import pytest
from ban_ray.search.config.ineffective import reject_ineffective_options

from ban_ray.errors import UserError
from ban_ray.specs import Chain, Objective, Recipe, Task, born_again

TASK = Task(name="digits", fingerprint="0" * 64)


def chain(network: str, generations: int, *, cached: bool = False) -> Chain:
    recipe = Recipe(epochs=1, teacher_outputs="cached" if cached else "online")
    return born_again(TASK, network, recipe, Objective(name="ban"), seed=0, generations=generations)


DENSE, WIDE = "densenet-bc-10-4", "wide-resnet-10-1"


def test_an_effect_in_one_chain_is_enough() -> None:
    chains = [chain(WIDE, 0, cached=True), chain(DENSE, 1, cached=True)]
    reject_ineffective_options(chains, teacher_cache=True, recompute=True, select_by="ensemble")
    reject_ineffective_options([chain(WIDE, 0)], teacher_cache=False, recompute=False, select_by="last")


@pytest.mark.parametrize(
    ("chains", "options", "told"),
    [
        ([chain(DENSE, 0, cached=True)] * 2, {"teacher_cache": True}, "no network here learns from a teacher"),
        ([chain(WIDE, 1)], {"recompute": True}, "wide-resnet-10-1 has none"),
        ([chain(DENSE, 0), chain(WIDE, 0)], {"error_of": "best"}, "--target 'best' is of no use"),
    ],
)
def test_none_in_all_is_refused(chains: list[Chain], options: dict, told: str) -> None:
    with pytest.raises(UserError, match=told):
        reject_ineffective_options(chains, **{"teacher_cache": False, "recompute": False, "error_of": "last"} | options)
