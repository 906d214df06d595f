"""The contract of every teacher policy, and of an example that one more file adds."""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from ban_ray.errors import UserError
from ban_ray.population import Member, Population, Predictions, open_storage, teaching
from ban_ray.population.teaching import POLICIES, Candidates, TeacherPolicy, parse_policy
from ban_ray.specs import Objective, Recipe, born_again
from tests.helpers.fabricated_population import BAN, DIGITS, Fabricator

EXAMPLE = '''"""``smallest``: the member with the fewest parameters."""

from dataclasses import dataclass

from ban_ray.population.teaching.base import SelectedTeachers, TeacherPolicy, register
from ban_ray.population.teaching.candidates import Candidates, describe


@register
@dataclass(frozen=True)
class Smallest(TeacherPolicy):
    """Of equally small ones the best on held-out data."""

    name = "smallest"
    form = "smallest"
    pattern = "smallest"

    def select(self, candidates: Candidates, seed: int) -> SelectedTeachers:
        smallest = min(candidates.chosen_by(self.text), key=lambda candidate: candidate.parameters).member
        return SelectedTeachers((smallest.key,), f"the smallest: {describe(smallest)}")
'''

TEXTS: dict[str, Sequence[str]] = {
    "parent": ["parent"],
    "member": ["KEY", "KEY+OTHER", "KEY+OTHER+KEY"],
    "generations": ["generations:TAUGHT"],
    "epoch": ["epoch:2"],
    "best": ["best", "best:parameters=15000"],
    "front": ["front"],
    "tournament": ["tournament:1", "tournament:3", "tournament:99"],
    "random": ["random"],
    "independent": ["independent:1", "independent:3"],
    "greedy": ["greedy:1", "greedy:5"],
    "smallest": ["smallest"],
}
"""Texts of each policy; the letters stand for members of the fabricated population."""

OTHER_SPLIT = DIGITS.model_copy(update={"split_seed": 1})
PAPER = DIGITS.model_copy(update={"protocol": "paper"})


@dataclass
class OtherTests(Fabricator):
    """The same members with other results on the test set."""

    def predictions(self, seed: int, strength: float, held_out: int) -> Predictions:
        kept = super().predictions(seed, strength, held_out)
        other = super().predictions(seed + 1000, -strength, held_out)
        return Predictions(kept.held_out, kept.held_out_labels, other.test, other.test_labels)


def fill(fabricator: Fabricator) -> list[Member]:
    """Six members of a task, two of them taught, and better ones of another split and of another task."""
    members = [
        fabricator.member(seed, skill=0.3 * seed, parameters=10_000 * (seed + 1), network=f"densenet-bc-16-{8 + seed}")
        for seed in range(4)
    ]
    chain = fabricator.chain(9, 2, parameters=25_000)
    fabricator.member(20, skill=9.0, parameters=5_000, task=OTHER_SPLIT)
    fabricator.member(21, skill=9.0, parameters=5_000, task=DIGITS.model_copy(update={"label_noise": 0.1}))
    fabricator.member(22, skill=9.0, parameters=5_000, objective=Objective(name="label"), task=PAPER)
    return [*members, *chain]


@pytest.fixture(scope="module", autouse=True)
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("policies")
    (folder / "smallest.py").write_text(EXAMPLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teaching, "__path__", [*teaching.__path__, str(folder)])
        teaching.import_all()
        yield
    del POLICIES["smallest"], sys.modules["ban_ray.population.teaching.smallest"]


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> tuple[Population, list[Member]]:
    population = Population(open_storage(str(tmp_path_factory.mktemp("population"))))
    return population, fill(Fabricator(population))


@pytest.fixture(params=[(name, text) for name, texts in TEXTS.items() for text in texts], ids=lambda pair: pair[1])
def policy(request: pytest.FixtureRequest, members: tuple[Population, list[Member]]) -> TeacherPolicy:
    name, text = request.param
    found = parse_policy(filled(text, members[1]))
    assert found.name == name
    return found


def filled(text: str, members: Sequence[Member]) -> str:
    names = {"KEY": members[1].key[:12], "OTHER": members[3].key, "TAUGHT": members[-1].key[:16]}
    return re.sub("|".join(names), lambda match: names[match[0]], text)


def test_every_policy_has_an_example() -> None:
    assert TEXTS.keys() == POLICIES.keys()


def test_a_text_is_read_back(policy: TeacherPolicy) -> None:
    assert parse_policy(policy.text) == policy
    assert any(
        re.fullmatch(re.sub("[A-Z]+", r"[0-9a-f]+", form).replace("+[", r"\+["), policy.text.partition("+")[0])
        for form in policy.form.split(", ")
    ), "its form says how it is typed"
    assert {policy: 0}[parse_policy(policy.text)] == 0, "equal policies are one"


def test_the_choice_is_a_function_of_the_population_and_the_seed(
    policy: TeacherPolicy, members: tuple[Population, list[Member]]
) -> None:
    population, _ = members
    choices = [policy.select(Candidates(population, DIGITS), seed) for seed in range(12)]
    assert choices == [policy.select(Candidates(population, DIGITS), seed) for seed in range(12)]
    assert (len({choice.keys for choice in choices}) > 1) <= policy.is_drawn
    assert all(bool(choice.keys) == policy.takes_members for choice in choices)
    assert all(choice.description and "\n" not in choice.description for choice in choices)
    for key in {key for choice in choices for key in choice.keys}:
        assert population[key].generation.task == DIGITS, "nobody who may have seen the held-out samples"


def test_the_choice_does_not_look_at_the_test_set(
    policy: TeacherPolicy, members: tuple[Population, list[Member]], population: Population
) -> None:
    others = fill(OtherTests(population))
    known, there = members
    assert [member.key for member in others] == [member.key for member in there]
    assert any(a.metrics.test_error != b.metrics.test_error for a, b in zip(others, there, strict=True))
    for seed in range(5):
        mine, theirs = (policy.select(Candidates(each, DIGITS), seed) for each in (population, known))
        assert mine.keys == theirs.keys


def test_a_policy_that_finds_nobody_says_so_in_a_sentence(policy: TeacherPolicy, population: Population) -> None:
    if not policy.takes_members:
        pytest.skip("nobody is looked for")
    with pytest.raises(UserError) as refused:
        policy.select(Candidates(population, DIGITS), 0)
    assert re.match(r"--teacher [a-z0-9]", str(refused.value))
    assert "\n" not in str(refused.value)


def test_nothing_is_selected_where_nothing_is_held_out(
    policy: TeacherPolicy, members: tuple[Population, list[Member]]
) -> None:
    if policy.ignores_population:
        policy.select(Candidates(members[0], PAPER), 0)
        return
    with pytest.raises(UserError, match=r"selects on held-out data, which --protocol paper trains on"):
        policy.select(Candidates(members[0], PAPER), 0)


def test_a_chain_stays_a_chain(policy: TeacherPolicy) -> None:
    chain = born_again(DIGITS, "densenet-bc-16-8", Recipe(epochs=4), BAN, seed=0, generations=2)
    taught = policy.chain(chain)
    assert (taught == chain) or not policy.takes_members
    assert [g.network for g in taught.generations] == [g.network for g in chain.generations]
    assert taught.generations[-1].recipe == chain.generations[-1].recipe


def test_a_second_policy_of_a_name_is_refused() -> None:
    class Other(TeacherPolicy):
        name = "best"

    with pytest.raises(ValueError, match="two teacher policies are called 'best'"):
        teaching.register(Other)
