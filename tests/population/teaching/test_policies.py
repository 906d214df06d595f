"""The choice of each policy."""

from collections import Counter

import numpy as np
import pytest

from ban_ray.errors import UserError
from ban_ray.evaluation import ensembles
from ban_ray.evaluation.greedy import greedy_selection
from ban_ray.evaluation.metrics import BITS, ERROR
from ban_ray.evaluation.predictions import TokenOutputs
from ban_ray.population import Member, Population
from ban_ray.population.layout import member_folder
from ban_ray.population.teaching import Candidates, forms, parse_policy
from ban_ray.specs import Recipe, born_again, label_only
from tests.helpers.fabricated_population import BAN, DIGITS, Fabricator


def selected(population: Population, text: str, seed: int = 0) -> tuple[str, ...]:
    return parse_policy(text).select(Candidates(population, DIGITS), seed).keys


def error(member: Member) -> float:
    assert member.metrics.held_out_error is not None
    return member.metrics.held_out_error


@pytest.fixture
def members(population: Population) -> list[Member]:
    """Seven members from the best to the worst, the worse the smaller but for the last."""
    fabricator = Fabricator(population, held_out=400)
    made = [fabricator.member(seed, skill=3.0 - 0.7 * seed, parameters=70_000 - 10_000 * seed) for seed in range(6)]
    made.append(fabricator.member(6, skill=-3.0, parameters=100_000))
    assert [error(member) for member in made] == sorted(error(member) for member in made)
    assert len({error(member) for member in made}) == 7
    return made


def test_a_limit_may_have_underscores_between_its_digits() -> None:
    assert parse_policy("best:parameters=1_000_000").text == "best:parameters=1000000"
    for text in ("1__0", "10_", "_1", "0", "", "1e6"):
        with pytest.raises(ValueError, match="names no teacher") as refused:
            parse_policy(f"best:parameters={text}")
        assert forms() in str(refused.value)


def test_the_front_has_whom_no_other_beats_in_error_and_size(population: Population, members: list[Member]) -> None:
    drawn = Counter(selected(population, "front", seed)[0] for seed in range(300))
    assert drawn.keys() == {member.key for member in members[:-1]}
    assert max(drawn.values()) < 2.5 * min(drawn.values()), "each is as likely"


def test_a_tournament_is_won_by_the_best_of_those_drawn(population: Population, members: list[Member]) -> None:
    wins = Counter(selected(population, "tournament:3", seed)[0] for seed in range(700))
    # Of the 35 sets of 3 out of 7, 15 have the best, 10 of the others the second best, and the last two win none.
    expected = [15 / 35, 10 / 35, 6 / 35, 3 / 35, 1 / 35, 0, 0]
    assert [wins[member.key] / 700 for member in members] == pytest.approx(expected, abs=0.06)
    assert wins[members[5].key] == wins[members[6].key] == 0
    assert selected(population, "tournament:7") == selected(population, "tournament:99") == (members[0].key,)


def test_random_draws_everyone(population: Population, members: list[Member]) -> None:
    drawn = Counter(selected(population, "random", seed)[0] for seed in range(300))
    assert drawn.keys() == {member.key for member in members}


def test_independent_members_learned_from_labels_alone(population: Population, members: list[Member]) -> None:
    taught = Fabricator(population).chain(50, 2)
    untaught = {member.key for member in [*members, taught[0]]}
    sets = {selected(population, "independent:3", seed) for seed in range(40)}
    assert set().union(*sets) == untaught
    assert all(len(set(keys)) == 3 for keys in sets)
    with pytest.raises(UserError, match=r"--teacher independent:9: 8 members .* learned from labels alone; train more"):
        selected(population, "independent:9")


def test_greedy_is_the_best_average_that_can_be_built_step_by_step(population: Population) -> None:
    fabricator = Fabricator(population, held_out=400, noise=2.0)
    members = sorted((fabricator.member(seed, skill=-1.0) for seed in range(7)), key=error)
    labels = population.predictions(members[0]).held_out_labels

    def loss(keys: list[str]) -> tuple[float, float]:
        average = ensembles.combine([population.predictions(population[key]).held_out for key in keys])
        return float(ERROR.losses(average, labels).mean()), -float(average[np.arange(len(labels)), labels].mean())  # type: ignore[index]

    built: list[str] = []
    losses = []
    for _ in range(6):
        built.append(min((member.key for member in members), key=lambda key: loss([*built, key])))
        losses.append(loss(built))
    best = built[: losses.index(min(losses)) + 1]
    keys = selected(population, "greedy:6")
    weights, expected = Counter(keys), Counter(best)
    assert {key: expected[key] / len(best) for key in expected} == {key: weights[key] / len(keys) for key in weights}
    assert loss(list(keys))[0] <= error(members[0]) / 100
    assert len(weights) > 1, "an average of several is better here"


def test_a_greedy_choice_weighs_by_repetition() -> None:
    labels = np.zeros(3, dtype=np.int64)
    # Of up to three only 2 of the first and 1 of the second are right on all three samples.
    first = np.log([[0.60, 0.40], [0.45, 0.55], [0.70, 0.30]])
    second = np.log([[0.35, 0.65], [0.65, 0.35], [0.20, 0.80]])
    chosen, loss = greedy_selection([first, second], labels, ERROR, 3)
    assert (sorted(chosen), loss) == ([0, 0, 1], 0.0)
    assert greedy_selection([first, second], labels, ERROR, 1)[0] == (0,)
    with pytest.raises(ValueError, match="cannot be made"):
        greedy_selection([], labels, ERROR, 1)


def test_a_greedy_choice_of_tokens_is_by_their_likelihood() -> None:
    labels, zeros = np.array([1, 2, 3]), np.zeros(3, dtype=np.int64)
    outputs = [
        TokenOutputs(np.log(np.array(p)), zeros, np.zeros(3)) for p in ([0.9, 0.1, 0.1], [0.1, 0.9, 0.9], [0.2] * 3)
    ]
    chosen, loss = greedy_selection(outputs, labels, BITS, 4)
    assert set(chosen) == {0, 1}
    assert loss == pytest.approx(-ensembles.combine([outputs[i] for i in chosen]).label.mean())  # type: ignore[union-attr]


def test_a_member_without_its_predictions_is_not_in_the_greedy_choice(
    population: Population, members: list[Member]
) -> None:
    population.storage.delete(f"{member_folder(members[0].key)}/{members[0].predictions.name}")
    assert members[0].key not in selected(population, "greedy:3")


def test_a_member_that_is_named_twice_has_twice_the_weight(population: Population, members: list[Member]) -> None:
    first, second = members[0].key, members[1].key
    policy = parse_policy(f"{first[:10]}+{second[:10]}+{first[:10]}")
    chosen = policy.select(Candidates(population, DIGITS), 0)
    assert chosen.keys == (first, second, first)
    assert "average of 3 named members" in chosen.description and "2 times" in chosen.description


def test_members_of_other_splits_and_classes_are_refused(population: Population) -> None:
    fabricator = Fabricator(population)
    split = fabricator.member(0, task=DIGITS.model_copy(update={"split_seed": 1}))
    with pytest.raises(UserError, match="may have seen this search's held-out samples"):
        selected(population, split.key)
    five = Fabricator(population, classes=5).member(1, task=DIGITS.model_copy(update={"name": "letters"}))
    paper = Candidates(population, DIGITS.model_copy(update={"protocol": "paper"}), num_classes=10)
    with pytest.raises(UserError, match="tells 5 classes of letters apart, and this search's data have 10"):
        parse_policy(five.key).select(paper, 0)
    assert parse_policy(split.key).select(paper, 0).keys == (split.key,)


def test_the_parent_after_an_earlier_epoch_is_a_member_of_its_own() -> None:
    chain = born_again(DIGITS, "densenet-bc-16-8", Recipe(epochs=4), BAN, seed=0, generations=2)
    taught = parse_policy("epoch:3").chain(chain)
    assert [generation.recipe.stop_epoch for generation in taught.generations] == [3, 3, None]
    assert not set(taught.keys) & set(chain.keys)
    assert [generation.teachers for generation in taught.generations] == [(), (taught.keys[0],), (taught.keys[1],)]
    for epoch in (4, 5):
        with pytest.raises(UserError, match=f"epoch:{epoch} must be an earlier epoch than a generation's last, .* 4"):
            parse_policy(f"epoch:{epoch}").chain(chain)
    alone = label_only(DIGITS, "densenet-bc-16-8", Recipe(epochs=4), seed=0)
    with pytest.raises(UserError, match="no generation of one chain teaches another"):
        parse_policy("epoch:2").chain(alone)
