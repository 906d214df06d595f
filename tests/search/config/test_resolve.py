"""From options to a search: what an option does beside others."""

from pathlib import Path

import pytest

from ban_ray.errors import UserError
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.study.records import search_identity
from ban_ray.specs.recipes import RECIPES


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


@pytest.mark.parametrize(
    ("space", "given", "settings"),
    [
        ("densenet_grid", {"epochs": 3, "batch_size": 32}, {"recipe.epochs": "3", "recipe.batch_size": "32"}),
        ("densenet_grid", {"objective": "ban:temperature=4"}, {"objective.name": "ban", "objective.temperature": 4.0}),
        ("language_models", {"precision": "bf16"}, {"recipe.precision": "bf16"}),
    ],
)
def test_a_set_field_is_the_option_of_its_own(
    space: str, given: dict[str, object], settings: dict[str, object]
) -> None:
    """The same chains, and the same search."""
    by_option = resolve(SearchOptions.model_validate({"space": space, **given}))
    by_name = resolve(SearchOptions.model_validate({"space": space, "settings": settings}))
    assert [planned.chain.keys for planned in by_name.chains] == [planned.chain.keys for planned in by_option.chains]
    assert search_identity(by_name) == search_identity(by_option)


def test_a_set_field_reaches_spaces_with_a_recipe_for_each_network(text_folder: Path) -> None:
    options = {"space": "language_models", "scale": "paper", "task": "text", "data": str(text_folder)}
    plain, changed = (
        resolve(SearchOptions.model_validate({**options, "settings": settings, "batch_size": 2}))
        for settings in ({}, {"recipe.momentum": 0.5})
    )
    recipes = [[planned.chain.generations[0].recipe for planned in spec.chains] for spec in (plain, changed)]
    assert [recipe.model_copy(update={"momentum": 0.5}) for recipe in recipes[0]] == recipes[1]
    assert len({recipe.learning_rate for recipe in recipes[1]}) == 2


def test_a_searched_list_is_every_combination_by_a_grid() -> None:
    options = {"space": "densenet_grid", "only": "depth=16", "seeds": "0", "sampler": "grid"}
    spec = resolve(SearchOptions.model_validate({**options, "search": ["recipe.clip=none,1", "recipe.momentum=0,0.9"]}))
    plain = resolve(SearchOptions.model_validate(options))
    assert len(spec.chains) == 4 * len(plain.chains) == 8
    assert {planned.chain.keys for planned in plain.chains} < {planned.chain.keys for planned in spec.chains}


@pytest.mark.parametrize("given", [{"settings": ["recipe.epochs=5"]}, {"search": ["recipe.epochs=5,6"]}])
def test_a_space_may_use_a_field_otherwise_than_as_it_is(given: dict[str, list[str]]) -> None:
    """It trains for a multiple of the epochs, so no generation has the number that was given."""
    options = {"space": "does_it_help", "network": "densenet-bc-10-4", "only": "objective=label, all epochs", **given}
    spec = resolve(SearchOptions.model_validate(options))
    configuration: dict[str, str | int] = {"objective": "label, all epochs"}
    if "search" in given:
        configuration["recipe.epochs"] = 5
    assert [generation.recipe.epochs for generation in spec.chains_of(configuration)[0].chain.generations] == [15]


def test_a_named_recipe_is_whole_in_a_space_with_a_recipe_for_each_network(tmp_path: Path) -> None:
    """No field of the network's own recipe stays, and what the command line sets comes on top."""
    for part, lines in (("train", 4000), ("valid", 400), ("test", 400)):
        (tmp_path / f"{part}.txt").write_text("a b c d e f g h\n" * lines)
    options = SearchOptions(space="language_models", scale="paper", task="text", data=str(tmp_path), recipe="lstm")
    generations = [generation for planned in resolve(options).chains for generation in planned.chain.generations]
    assert {generation.network for generation in generations} > {"cnn-lstm"}
    assert all(generation.recipe == RECIPES["lstm"] for generation in generations)
    (shorter, *_) = resolve(options.model_copy(update={"epochs": 3})).chains
    assert shorter.chain.generations[0].recipe == RECIPES["lstm"].model_copy(update={"epochs": 3})


def test_other_epochs_than_the_papers_are_told() -> None:
    """Beside a table of the papers, whose figures are of all their epochs."""
    paper, laptop = (
        resolve(SearchOptions(space="densenet_grid", scale=scale, task="digits", epochs=25)).data_and_protocol
        for scale in ("paper", "laptop")
    )
    assert "25 epochs, not the papers' 200" in paper
    assert "papers' 200" not in laptop
    assert "epochs" not in resolve(SearchOptions(space="densenet_grid", scale="paper", task="digits")).data_and_protocol
