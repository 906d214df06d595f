"""The plan of a search: what is published, what is missing, and whom it learns from."""

import json

from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.plan import plan as plans
from tests.search.conftest import Trained


def test_what_is_taken_is_told(trained: Trained) -> None:
    population, _ = trained
    deeper = resolve(SearchOptions(space="densenet_grid", epochs=1, generations=3, seeds=(0,)))
    assert plans.count_reused_teachers(plans.make_plan(deeper, population)) == {
        "densenet-bc-16-8": 1,
        "densenet-bc-16-12": 1,
    }


def test_a_plan_is_json(trained: Trained) -> None:
    population, spec = trained
    plan = json.loads(json.dumps(plans.plan_as_json(plans.make_plan(spec, population), None, [])))
    assert (plan["distinct_generations"], plan["to_train"], plan["already_there"]) == (12, 6, 6)
    assert [chain["keys"] for chain in plan["chains"]] == [list(planned.chain.keys) for planned in spec.chains]
