"""Controls of `does_it_help`: the same compute as its chains, from the same baseline."""

from ban_ray.search.config import spaces
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import SearchSpec
from ban_ray.specs import (
    ALL_EPOCHS,
    ALL_EPOCHS_STOPPED,
    BASELINE_ALONE,
    BETA,
    DOUBLED,
    EARLY_STOPPED,
    EMA,
    ENSEMBLE_DISTILLED,
    SELF_EMA,
    SMOOTHED,
    SWA,
    TUNED_RECIPES,
    TUNED_SMOOTHING,
    VIRTUAL,
    Network,
    Objective,
    Recipe,
    SpaceContext,
    Task,
    independent,
)

FORMER = ("ban+l", "ban", DOUBLED, SMOOTHED, ALL_EPOCHS, *independent(3))
"""The configurations that stored searches have."""


def resolved(**options: object) -> SearchSpec:
    return resolve(SearchOptions.model_validate({"space": "does_it_help", "network": "densenet-bc-10-4", **options}))


def test_every_network_starts_from_one_baseline_and_differs_in_what_its_name_says() -> None:
    spec = resolved(generations=3, seeds=(0, 5))
    by_row = {(planned.position.row, planned.seed): planned.chain for planned in spec.chains}
    chain = resolve(SearchOptions(space="chain", network="densenet-bc-10-4", generations=3, seeds=(5,))).chains[0].chain
    assert by_row["ban+l", 5].keys == chain.keys
    baseline = chain.generations[0]
    for name in ("ban", "mix", "hard"):
        assert by_row[name, 5].keys[0] == baseline.key
        assert [str(made.objective) for made in by_row[name, 5].generations] == ["label", *[name] * 3]
    assert by_row[BASELINE_ALONE, 5].keys == (baseline.key,)

    recipe = baseline.recipe
    tried = [recipe.model_copy(update={"weight_decay": 5 * recipe.weight_decay})]
    tried.append(recipe.model_copy(update={"learning_rate": 0.3}))
    tried.append(tried[0].model_copy(update={"learning_rate": 0.03}))
    recipes: dict[str, Recipe] = {
        ALL_EPOCHS: recipe.model_copy(update={"epochs": 4 * recipe.epochs}),
        ALL_EPOCHS_STOPPED: recipe.model_copy(update={"epochs": 4 * recipe.epochs, "averaging": "best"}),
        EARLY_STOPPED: recipe.model_copy(update={"averaging": "best"}),
        EMA: recipe.model_copy(update={"averaging": "ema"}),
        SWA: recipe.model_copy(update={"averaging": "swa"}),
        **dict(zip(TUNED_RECIPES, tried, strict=False)),
    }
    objectives = (DOUBLED, *TUNED_SMOOTHING[:3], VIRTUAL, BETA, SELF_EMA)
    expected: dict[str, dict[str, object]] = {name: {"recipe": value} for name, value in recipes.items()}
    expected |= {name: {"objective": Objective.parse(name)} for name in objectives}
    for name, changes in expected.items():
        (control,) = by_row[name, 5].generations
        assert control == baseline.model_copy(update=changes), name
        assert control.key != baseline.key, name
    alone = [by_row[name, 5].generations[0] for name in independent(3)]
    assert all(each == baseline.model_copy(update={"seed": each.seed}) for each in alone)
    seeds = {by_row[name, seed].generations[0].seed for name in ("ban", *independent(3)) for seed in (0, 5)}
    assert len(seeds) == 8

    *teachers, student = by_row[ENSEMBLE_DISTILLED, 5].generations
    assert [teacher.key for teacher in teachers] == [baseline.key, *(each.key for each in alone)]
    assert student.teachers == tuple(teacher.key for teacher in teachers)
    assert student.objective == Objective(name="ban+l")
    named = {"ban+l", "ban", "mix", "hard", BASELINE_ALONE, ENSEMBLE_DISTILLED, *expected, *independent(3)}
    assert {row for row, _ in by_row} == named


def test_tries_and_networks_are_as_many_as_a_chain_has_trainings() -> None:
    for generations in (1, 2, 5):
        rows = {planned.position.row for planned in resolved(generations=generations, seeds=(0,)).chains}
        for tries in (TUNED_RECIPES, TUNED_SMOOTHING):
            assert [name for name in tries if name in rows] == list(tries[:generations])
        assert [name for name in independent(8) if name in rows] == list(independent(max(3, generations)))
    # Fewer trainings than the three networks that are always there.
    assert {planned.position.row for planned in resolved(generations=0, seeds=(0,)).chains} > set(independent(3))


def test_members_of_stored_searches_serve_again() -> None:
    whole = resolved().distinct_generations
    for name in FORMER:
        only = resolved(only=f"objective={name}")
        assert {planned.configuration["objective"] for planned in only.chains} == {name}
        assert only.distinct_generations.keys() < whole.keys()


def test_early_stopping_is_left_out_where_nothing_is_held_out() -> None:
    rows = {planned.position.row for planned in resolved(protocol="paper").chains}
    assert EMA in rows
    assert not {EARLY_STOPPED, ALL_EPOCHS_STOPPED} & rows


def test_a_recipe_that_averages_is_averaged_as_a_control_says() -> None:
    spec = resolved(settings=["recipe.averaging=ema", "recipe.ema_decay=0.9"], seeds=(0,))
    recipes = {planned.position.row: planned.chain.generations[0].recipe for planned in spec.chains}
    assert (recipes[EMA].averaging, recipes[EMA].ema_decay) == ("ema", 0.9)
    assert (recipes[SWA].averaging, recipes[EARLY_STOPPED].averaging) == ("swa", "best")


def test_controls_are_of_the_users_own_network() -> None:
    space = spaces.load("does_it_help")
    scale = space.scales["laptop"]
    network = Network("my_module:build", {"width": 3}, "second try")
    task = Task(name="digits", fingerprint="0" * 64)
    context = SpaceContext("laptop", task, scale.recipe, scale.objective, 1, None, network)
    for configuration in scale.configurations:
        for generation in space.chain(configuration, context, 0).generations:
            assert generation.network == "my_module:build"
            assert dict(generation.network_arguments) == {"width": 3}
            assert generation.network_version == "second try"
