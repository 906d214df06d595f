"""Controls of `does_it_help`: the same compute as its chains, from the same baseline."""

from ban_ray.search.config import spaces
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.specs import ALL_EPOCHS, DOUBLED, SMOOTHED, Network, SpaceContext, Task, independent


def test_does_it_help_trains_both_objectives_and_its_controls_from_one_baseline() -> None:
    spec = resolve(SearchOptions(space="does_it_help", network="densenet-bc-10-4", generations=3, seeds=(0, 5)))
    by_row = {(planned.position.row, planned.seed): planned.chain for planned in spec.chains}
    chain = resolve(SearchOptions(space="chain", network="densenet-bc-10-4", generations=3, seeds=(5,))).chains[0].chain
    assert by_row["ban+l", 5].keys == chain.keys
    baseline = chain.generations[0]
    assert by_row["ban", 5].keys[0] == baseline.key
    assert [str(generation.objective) for generation in by_row["ban", 5].generations] == ["label", "ban", "ban", "ban"]

    changed = {DOUBLED: {"objective"}, SMOOTHED: {"objective"}, ALL_EPOCHS: {"recipe"}}
    changed |= {name: {"seed"} for name in independent(3)}
    for name, fields in changed.items():
        (control,) = by_row[name, 5].generations
        fields_of_control, first = control.model_dump(), baseline.model_dump()
        assert {field for field, value in fields_of_control.items() if value != first[field]} == fields, name
    assert by_row[DOUBLED, 5].generations[0].objective.label_weight == 2
    assert by_row[SMOOTHED, 5].generations[0].objective.label_smoothing == 0.1
    assert by_row[ALL_EPOCHS, 5].generations[0].recipe.epochs == 4 * baseline.recipe.epochs
    seeds = {by_row[name, seed].generations[0].seed for name in ("ban", *independent(3)) for seed in (0, 5)}
    assert len(seeds) == 8
    assert len(by_row) == 2 * (2 + len(changed))


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
