"""Chains: derived seeds, teachers by key, and JSON that reads back to the same value."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ban_ray.objectives import LOSSES
from ban_ray.specs import (
    OBJECTIVES,
    Chain,
    Generation,
    Objective,
    Recipe,
    Task,
    born_again,
    derive_seed,
    label_only,
)
from tests.specs.golden import DIGITS

BAN = Objective(name="ban")
SMALL = Recipe(epochs=2, batch_size=32)
hexadecimal = st.text("0123456789abcdef", min_size=64, max_size=64)
seeds = st.integers(0, 2**70)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    workers = draw(st.integers(1, 8))
    return Recipe(
        epochs=draw(st.integers(1, 10_000)),
        batch_size=workers * draw(st.integers(1, 512)),
        learning_rate=draw(st.floats(1e-300, 1e300)),
        learning_rate_drops=tuple(sorted(draw(st.lists(st.floats(1e-9, 1 - 1e-9), max_size=4, unique=True)))),
        learning_rate_factor=draw(st.floats(1e-10, 10)),
        momentum=draw(st.floats(0, 0.999)),
        weight_decay=draw(st.floats(0, 1)),
        precision=draw(st.sampled_from(["fp32", "tf32", "bf16"])),
        workers=workers,
    )


@st.composite
def objectives(draw: st.DrawFn) -> Objective:
    name = draw(st.sampled_from([name for name in OBJECTIVES if Objective(name=name).needs_teacher]))
    fields = {field: draw(st.floats(1e-6, 0.999)) for field in LOSSES[name].used_fields() if draw(st.booleans())}
    return Objective.model_validate({"name": name, **fields})


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    task = Task(
        name=draw(st.text(max_size=8)),
        fingerprint=draw(hexadecimal),
        split_seed=draw(seeds),
        label_noise=draw(st.floats(0, 1)),
        protocol=draw(st.sampled_from(["search", "paper"])),
    )
    generations: list[Generation] = []
    for number in range(draw(st.integers(1, 3))):
        others = draw(st.lists(hexadecimal, max_size=2))
        teachers = [*others, generations[-1].key] if generations else others
        generations.append(
            Generation(
                task=task,
                network=draw(st.text(max_size=8)),
                recipe=draw(recipes()),
                objective=draw(objectives()) if teachers else Objective(name="label"),
                seed=derive_seed(draw(seeds), "generation", number),
                augmentation_seed=draw(st.none() | seeds),
                teachers=tuple(teachers),
                network_arguments=draw(
                    st.dictionaries(
                        st.text(max_size=4),
                        st.recursive(
                            st.none()
                            | st.booleans()
                            | st.integers()
                            | st.floats(allow_nan=False, allow_infinity=False)
                            | st.text(max_size=4),
                            lambda inner: (
                                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
                            ),
                            max_leaves=4,
                        ),
                        max_size=3,
                    )
                ),
                network_version=draw(st.text(max_size=3)),
            )
        )
    return Chain(seed=draw(seeds), generations=tuple(generations))


@settings(max_examples=60)
@given(chains())
def test_json_and_back(chain: Chain) -> None:
    text = chain.to_json()
    read = Chain.model_validate_json(text)
    assert read == chain
    assert read.keys == chain.keys
    assert read.to_json() == text


def test_derived_seeds_literally() -> None:
    """The first 63 bits of a SHA-256: another machine or version derives the same."""
    expected = int(hashlib.sha256(b"7/generation/2").hexdigest()[:16], 16) // 2
    assert derive_seed(7, "generation", 2) == expected
    assert derive_seed(0, "order", 3) == int(hashlib.sha256(b"0/order/3").hexdigest()[:16], 16) // 2
    made = [
        derive_seed(seed, purpose, *position)
        for seed in range(5)
        for purpose in ("initialisation", "order", "augmentation", "dropout", "permutation")
        for position in [(), (0,), (1,), (0, 1), (1, 0)]
    ]
    assert len(set(made)) == len(made)
    assert all(0 <= value < 2**63 for value in made)


def test_a_chain_derives_its_generations_seeds() -> None:
    chain = born_again(DIGITS, "densenet-bc-10-4", SMALL, BAN, seed=7, generations=3)
    assert [made.seed for made in chain.generations] == [derive_seed(7, "generation", k) for k in range(4)]
    longer = born_again(DIGITS, "densenet-bc-10-4", SMALL, BAN, seed=7, generations=5)
    assert longer.keys[:4] == chain.keys, "more generations must not train the old ones again"
    other = born_again(DIGITS, "densenet-bc-10-4", SMALL, BAN, seed=8, generations=3)
    assert not {made.seed for made in other.generations} & {made.seed for made in chain.generations}
    assert not set(other.keys) & set(chain.keys)


def test_each_generation_names_its_teacher() -> None:
    names = ["densenet-bc-10-4", "densenet-bc-10-6", "wide-resnet-10-1"]
    chain = born_again(DIGITS, names, SMALL, BAN, seed=7, generations=2)
    baseline, *students = chain.generations
    assert baseline.objective.name == "label"
    assert baseline.teachers == ()
    assert [student.teachers for student in students] == [(chain.keys[0],), (chain.keys[1],)]
    assert [made.network for made in chain.generations] == names
    assert chain.network == names[-1]


def test_every_generation_before_may_teach() -> None:
    chain = born_again(DIGITS, "densenet-bc-10-4", SMALL, BAN, seed=7, generations=3, taught_by="all")
    assert [made.teachers for made in chain.generations] == [chain.keys[:number] for number in range(4)]


def test_the_baseline_is_shared_by_all_objectives() -> None:
    made = [
        born_again(DIGITS, "densenet-bc-10-4", SMALL, Objective(name=name), seed=7, generations=1)
        for name in OBJECTIVES
        if Objective(name=name).needs_teacher
    ]
    assert len({chain.keys[0] for chain in made}) == 1
    assert len({chain.keys[1] for chain in made}) == len(made)


def test_a_change_of_the_baseline_changes_all_that_follow() -> None:
    chain = born_again(DIGITS, ["densenet-bc-10-4"] * 3, SMALL, BAN, seed=7, generations=2)
    names = ["densenet-bc-10-5", "densenet-bc-10-4", "densenet-bc-10-4"]
    other = born_again(DIGITS, names, SMALL, BAN, seed=7, generations=2)
    assert not set(chain.keys) & set(other.keys)


def test_a_chain_whose_links_do_not_hold_is_refused() -> None:
    first, second, third = born_again(DIGITS, "densenet-bc-10-4", SMALL, BAN, seed=7, generations=2).generations
    with pytest.raises(ValidationError, match="generation 0 teaches no later generation"):
        Chain(seed=7, generations=(first, third))
    with pytest.raises(ValidationError, match="generation 0 teaches no later"):
        Chain(seed=7, generations=(second, first))
    assert Chain(seed=7, generations=(second, third)).keys == (second.key, third.key), "taught by a member"
    with pytest.raises(ValidationError):
        Chain(seed=7, generations=())


def test_several_networks_may_teach_one() -> None:
    """Each but the last teaches a later one, wherever it stands; one that teaches nobody is refused."""
    alone = [label_only(DIGITS, "densenet-bc-10-4", SMALL, seed=seed).generations[0] for seed in range(4)]

    def student(*teachers: Generation) -> Generation:
        return alone[0].model_copy(update={"objective": BAN, "teachers": tuple(each.key for each in teachers)})

    last = student(*alone[:3])
    assert Chain(seed=0, generations=(*alone[:3], last)).keys[-1] == last.key
    with pytest.raises(ValidationError, match="generation 3 teaches no later generation"):
        Chain(seed=0, generations=(*alone, last))
    with pytest.raises(ValidationError, match="generation 0 teaches no later generation"):
        Chain(seed=0, generations=(last, *alone[:3]))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_networks_must_be_one_or_one_each(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} networks"):
        born_again(DIGITS, ["densenet-bc-10-4"] * count, SMALL, BAN, seed=0, generations=1)


@pytest.mark.parametrize("name", ["virtual", "beta", "self-ema", "label"])
def test_an_objective_without_a_teacher_is_the_baselines_where_no_student_follows(name: str) -> None:
    objective = Objective.parse(f"{name}:xi=0.3" if name != "label" else "label:label_smoothing=0.1")
    chain = born_again(DIGITS, "densenet-bc-10-4", SMALL, objective, seed=7, generations=0)
    assert chain.generations[0].objective == objective
    plain = born_again(DIGITS, "densenet-bc-10-4", SMALL, BAN, seed=7, generations=0)
    assert plain.generations[0].objective == Objective(name="label")
