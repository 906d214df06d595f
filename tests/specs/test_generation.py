"""Keys: fixed for good, blind to spelling, and changed by everything that changes the bits."""

import hashlib
import json
from typing import Any

import pytest
from pydantic import ValidationError

from ban_ray.specs import SEMANTICS_VERSION, Generation, Objective, Recipe, Task, canonical_json, digest
from tests.specs.golden import DIGITS, FILE, GENERATIONS, LABEL

GOLDEN = json.loads(FILE.read_text())


def test_the_golden_file_is_of_this_version() -> None:
    assert GOLDEN["semantics_version"] == SEMANTICS_VERSION, GOLDEN["comment"]
    assert set(GOLDEN["generations"]) == set(GENERATIONS)


@pytest.mark.parametrize("name", GENERATIONS)
def test_golden_keys(name: str) -> None:
    golden = GOLDEN["generations"][name]
    assert GENERATIONS[name].key == golden["key"], GOLDEN["comment"]
    assert Generation.model_validate(golden["generation"]).key == golden["key"]
    assert json.loads(GENERATIONS[name].to_json()) == golden["generation"]


@pytest.mark.parametrize("name", GENERATIONS)
def test_a_key_is_the_hash_of_its_written_spec(name: str) -> None:
    """Anyone can compute it: sorted JSON without white space, with the training code's version in it."""
    golden = GOLDEN["generations"][name]
    written = {**golden["generation"], "semantics_version": GOLDEN["semantics_version"]}
    text = json.dumps(written, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == golden["key"]


def generation(**fields: Any) -> Generation:
    plain: dict[str, Any] = {
        "task": {"name": "digits", "fingerprint": "0" * 64},
        "network": "densenet-bc-16-8",
        "recipe": {"epochs": 200, "learning_rate": 0.1},
        "objective": {"name": "ban+l"},
        "seed": 1,
        "teachers": ["1" * 64],
    }
    for path, value in fields.items():
        at = plain
        *parents, last = path.split("__")
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = value
    return Generation.model_validate(plain)


@pytest.mark.parametrize(
    ("field", "first", "second"),
    [
        ("recipe__epochs", 200, 200.0),
        ("recipe__learning_rate", 1, 1.0),
        ("recipe__learning_rate", 0.1, 1e-1),
        ("recipe__weight_decay", 0, 0.0),
        ("recipe__weight_decay", 0.0, -0.0),
        ("objective__temperature", 4, 4.0),
        ("task__label_noise", 1, 1.0),
        ("network_arguments", {"depth": 200}, {"depth": 200.0}),
        ("network_arguments", {"deep": [{"depth": 200}]}, {"deep": [{"depth": 200.0}]}),
    ],
)
def test_how_a_number_is_written_does_not_matter(field: str, first: object, second: object) -> None:
    assert generation(**{field: first}).key == generation(**{field: second}).key


def test_the_order_of_fields_does_not_matter() -> None:
    plain = json.loads(generation(network_arguments={"a": 1, "b": {"c": 2, "d": 3}}).to_json())

    def backwards(value: Any) -> Any:
        return {name: backwards(value[name]) for name in reversed(value)} if isinstance(value, dict) else value

    forward, backward = json.dumps(plain), json.dumps(backwards(plain))
    assert forward != backward
    assert Generation.model_validate_json(forward).key == Generation.model_validate_json(backward).key


def test_defaults_are_left_out() -> None:
    plain = {"recipe__precision": "fp32", "recipe__workers": 1, "recipe__momentum": 0.9, "recipe__batch_size": 128}
    explicit = generation(
        **plain,
        recipe__learning_rate_drops=[0.3, 0.6, 0.8],
        objective__label_weight=1,
        objective__label_smoothing=0,
        task__label_noise=0,
        task__split_seed=0,
        task__protocol="search",
        augmentation_seed=None,
        network_arguments={},
        network_version="",
    )
    assert explicit.key == generation().key
    assert "workers" not in explicit.to_json()


class LaterRecipe(Recipe):
    """As a later version might have it."""

    ascent: float = 0.0


class LaterGeneration(Generation):
    """As a later version might have it."""

    recipe: LaterRecipe
    frozen_layers: tuple[str, ...] = ()


def test_a_new_field_at_its_default_keeps_every_key() -> None:
    for name, golden in GOLDEN["generations"].items():
        later = LaterGeneration.model_validate(golden["generation"])
        assert later.key == golden["key"], name
    plain = GOLDEN["generations"]["small baseline"]["generation"]
    changed = {**plain, "recipe": {**plain["recipe"], "ascent": 1}}
    assert LaterGeneration.model_validate(changed).key != GOLDEN["generations"]["small baseline"]["key"]
    assert LaterGeneration.model_validate({**plain, "frozen_layers": ["stem"]}).key != later.key


CHANGES: dict[str, object] = {
    "task__name": "cifar10",
    "task__fingerprint": "1" * 64,
    "task__split_seed": 1,
    "task__label_noise": 0.3,
    "task__protocol": "paper",
    "task__tokens": "char",
    "network": "densenet-bc-16-9",
    "network_arguments": {"width": 1},
    "network_version": "2",
    "shared_layers": "frozen",
    "task__flip": False,
    "task__noise_kind": "pair",
    "task__normalise": [[0.5], [0.25]],
    "initial_weights": "3" * 64,
    "recipe__body_learning_rate": 0.1,
    "recipe__epochs": 201,
    "recipe__batch_size": 64,
    "recipe__learning_rate": 0.10001,
    "recipe__learning_rate_drops": [0.3, 0.6],
    "recipe__learning_rate_factor": 0.1,
    "recipe__momentum": 0.8,
    "recipe__weight_decay": 1e-4,
    "recipe__precision": "bf16",
    "recipe__workers": 4,
    "recipe__unroll": 35,
    "recipe__clip": 10,
    "recipe__plateau": 0,
    "recipe__teacher_outputs": "cached",
    "recipe__augmentation": "flip",
    "recipe__optimiser": "adamw",
    "recipe__optimiser_arguments": {"nesterov": False},
    "recipe__decay": "matrices",
    "recipe__schedule": "constant",
    "recipe__warm_up_epochs": 0.5,
    "recipe__final_learning_rate": 0.1,
    "recipe__decay_part": 0.1,
    "recipe__micro_batches": 2,
    "recipe__averaging": "ema",
    "recipe__ema_decay": 0.99,
    "recipe__swa_start": 0.5,
    "recipe__stop_epoch": 100,
    "objective__name": "ban",
    "objective__temperature": 2,
    "objective__label_weight": 2,
    "objective__teacher_weight": 2,
    "objective__label_smoothing": 0.1,
    "objective__xi": 0.1,
    "objective__confidence": 0.8,
    "objective__beta": 4,
    "objective__teacher_decay": 0.9,
    "seed": 2,
    "augmentation_seed": 1,
    "teachers": ["2" * 64],
}

READ_BESIDE: dict[str, dict[str, Any]] = {
    "recipe__final_learning_rate": {"recipe__schedule": "cosine"},
    "recipe__decay_part": {"recipe__schedule": "wsd"},
    "recipe__ema_decay": {"recipe__averaging": "ema"},
    "recipe__swa_start": {"recipe__averaging": "swa"},
    "task__noise_kind": {"task__label_noise": 0.3},
    "objective__xi": {"objective__name": "mix"},
    "objective__confidence": {"objective__name": "virtual", "teachers": []},
    "objective__beta": {"objective__name": "beta", "teachers": []},
    "objective__teacher_decay": {"objective__name": "self-ema", "teachers": []},
}
"""Fields that mean something only beside a value of another."""


def test_every_field_enters_the_key() -> None:
    """Also every field of a later version, which then has to be listed here."""
    covered = {path.split("__")[-1] if "__" in path else path for path in CHANGES}
    for spec in (Task, Recipe, Objective, Generation):
        assert set(spec.model_fields) - {"task", "recipe", "objective"} <= covered, spec
    keys = {name: generation(**{name: value, **READ_BESIDE.get(name, {})}).key for name, value in CHANGES.items()}
    keys["nothing"] = generation().key
    assert len(set(keys.values())) == len(keys)
    for name, others in READ_BESIDE.items():
        assert keys[name] != generation(**others).key, name


def test_the_order_and_number_of_teachers_enter_the_key() -> None:
    first, second = "1" * 64, "2" * 64
    keys = {
        generation(teachers=teachers).key
        for teachers in ([first], [second], [first, second], [second, first], [first, first])
    }
    assert len(keys) == 5


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_workers_and_precision_are_written_down(workers: int, precision: str) -> None:
    made = generation(recipe__workers=workers, recipe__precision=precision)
    assert (made.key == generation().key) == (workers == 1 and precision == "fp32")


@pytest.mark.parametrize(
    "fields",
    [
        {"teachers": ["x" * 64]},
        {"teachers": ["../" + "1" * 61]},
        {"teachers": ["1" * 63]},
        {"teachers": ["1" * 64 + "\n"]},
        {"teachers": ["A" * 64]},
        {"teachers": []},
        {"objective__name": "label"},
        {"seed": -1},
        {"seed": 1.5},
        {"task__label_noise": 1.1},
        {"task__label_noise": float("nan")},
        {"recipe__learning_rate": float("inf")},
        {"recipe__epochs": 0},
        {"recipe__epoch": 1},
        {"unknown": 1},
    ],
)
def test_what_cannot_be_trained_has_no_key(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        generation(**fields)


def test_a_generation_cannot_be_changed() -> None:
    made = GENERATIONS["small baseline"]
    with pytest.raises(ValidationError):
        made.seed = 3  # type: ignore[misc]
    assert made.model_copy(update={"seed": 3}).seed == 3


def test_a_copy_has_a_key_of_its_own() -> None:
    made = Generation(task=DIGITS, network="densenet-bc-16-8", recipe=Recipe(), objective=LABEL, seed=1)
    first = made.key
    copy = made.model_copy(update={"seed": 2})
    fresh = Generation.model_validate(copy.model_dump())
    assert fresh.key != first
    assert copy.key == fresh.key


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        {1, 2},
        object(),
        b"bytes",
    ],
)
def test_what_json_cannot_hold_has_no_digest(value: object) -> None:
    with pytest.raises(ValueError, match="canonical JSON"):
        digest({"deep": [value]})


def test_canonical_json_literally() -> None:
    value = {"b": 200.0, "a": [True, None, 0.5, -0.0, (1, 2)], "é": 1e22, 3: "x"}
    expected = '{"3":"x","a":[true,null,0.5,0,[1,2]],"b":200,"é":10000000000000000000000}'
    assert canonical_json(value) == expected.encode()
