"""Schedules are those of torch's schedulers, and fields that a recipe does not read are refused."""

import re
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LinearLR, LRScheduler, MultiStepLR, SequentialLR

from ban_ray.specs import Recipe

EPOCHS, STEPS, RATE = 10, 5, 0.3
TOTAL = EPOCHS * STEPS
Rates = list[float]


def ours(**fields: Any) -> Rates:
    recipe = Recipe.model_validate({"epochs": EPOCHS, "learning_rate": RATE, **fields})
    return [
        recipe.learning_rate_at(epoch, step=step, steps=STEPS if recipe.rate_changes_in_epochs else 1)
        for epoch in range(EPOCHS)
        for step in range(STEPS)
    ]


def theirs(*parts: tuple[type[LRScheduler], dict[str, Any]], milestones: tuple[int, ...] = ()) -> Rates:
    """The rates of 50 steps by torch's schedulers, one after the other from the milestones on."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    made = [scheduler(optimiser, **fields) for scheduler, fields in parts]
    scheduler = SequentialLR(optimiser, made, list(milestones)) if milestones else made[0]
    rates = []
    for _ in range(TOTAL):
        rates.append(float(optimiser.param_groups[0]["lr"]))
        optimiser.step()
        scheduler.step()
    return rates


def warm_up(steps: int) -> tuple[type[LRScheduler], dict[str, Any]]:
    return LinearLR, {"start_factor": 1 / steps, "total_iters": steps - 1}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"schedule": "cosine"}, lambda: theirs((CosineAnnealingLR, {"T_max": TOTAL}))),
        (
            {"schedule": "cosine", "final_learning_rate": 0.1},
            lambda: theirs((CosineAnnealingLR, {"T_max": TOTAL, "eta_min": 0.03})),
        ),
        (
            {"schedule": "cosine", "warm_up_epochs": 2, "final_learning_rate": 0.01},
            lambda: theirs(warm_up(10), (CosineAnnealingLR, {"T_max": TOTAL - 10, "eta_min": 0.003}), milestones=(10,)),
        ),
        (
            {"schedule": "linear", "warm_up_epochs": 0.8},
            lambda: theirs(
                warm_up(4),
                (LinearLR, {"start_factor": 1.0, "end_factor": 0.0, "total_iters": TOTAL - 4}),
                milestones=(4,),
            ),
        ),
        ({"schedule": "constant"}, lambda: theirs((ConstantLR, {"factor": 1.0}))),
        (
            {"schedule": "wsd", "warm_up_epochs": 1, "decay_part": 0.3, "final_learning_rate": 0.2},
            lambda: theirs(
                warm_up(5),
                (ConstantLR, {"factor": 1.0}),
                (LinearLR, {"start_factor": 1.0, "end_factor": 0.2, "total_iters": 15}),
                milestones=(5, 35),
            ),
        ),
        (
            {},
            lambda: theirs((MultiStepLR, {"milestones": [15, 30, 40], "gamma": 0.2})),
        ),
        (
            {"warm_up_epochs": 2},
            lambda: [
                rate * min(1.0, (step + 1) / 10)
                for step, rate in enumerate(theirs((MultiStepLR, {"milestones": [15, 30, 40], "gamma": 0.2})))
            ],
        ),
    ],
)
def test_rates_are_torchs(fields: dict[str, Any], expected: Any) -> None:
    made = ours(**fields)
    assert made == pytest.approx(expected(), rel=1e-9, abs=1e-15)
    assert len(set(made)) > 1 or fields == {"schedule": "constant"}


def test_the_first_and_the_last_step_of_a_warm_up() -> None:
    rates = ours(schedule="constant", warm_up_epochs=2)
    assert rates[0] == pytest.approx(RATE / 10)
    assert rates[8] < RATE
    assert rates[9] == rates[-1] == RATE


@pytest.mark.parametrize("epochs", [1, 3, 7, 45, 100, 200])
@pytest.mark.parametrize("part", [0.1, 0.3, 0.55, 0.57, 0.58, 1.0])
def test_wsd_is_stable_up_to_its_last_part(epochs: int, part: float) -> None:
    """Binary fractions move the first lower rate by no step: 200 steps * (1 - 0.58) are 84.00000000000001."""
    recipe = Recipe(epochs=epochs, learning_rate=1, schedule="wsd", decay_part=part)
    rates = [recipe.learning_rate_at(epoch, step=step, steps=100) for epoch in range(epochs) for step in range(100)]
    stable = round(epochs * 100 * (1 - part), 6)
    assert sum(rate == 1 for rate in rates) == int(stable) + 1


@pytest.mark.parametrize(
    ("fields", "rung"),
    [
        ({"schedule": "cosine", "epochs": 10}, 9),
        ({"schedule": "linear", "epochs": 45}, 37),
        ({"schedule": "constant", "epochs": 100}, 81),
        ({"schedule": "wsd", "epochs": 100, "decay_part": 0.3}, 71),
        ({"schedule": "wsd", "epochs": 100}, 81),
        ({"schedule": "cosine", "epochs": 5}, None),
    ],
)
def test_chains_are_compared_near_the_end(fields: dict[str, Any], rung: int | None) -> None:
    assert Recipe(**fields).drop_rung_epoch == rung


REFUSED = {
    "an unknown optimiser": ({"optimiser": "lion"}, "unknown optimiser 'lion'; allowed are sgd, adam"),
    "an unknown argument": (
        {"optimiser": "adamw", "optimiser_arguments": {"beta": 1}},
        "optimiser adamw has no argument 'beta'; allowed are betas, eps, amsgrad",
    ),
    "an argument of another": ({"optimiser_arguments": {"eps": 1e-6}}, "optimiser sgd has no argument 'eps'"),
    "an argument out of range": (
        {"optimiser": "adamw", "optimiser_arguments": {"betas": [0.9, 1.0]}},
        "argument betas = [0.9, 1.0] of optimiser adamw: input should be less than 1",
    ),
    "no number": (
        {"optimiser": "rmsprop", "optimiser_arguments": {"alpha": "x"}},
        "argument alpha = 'x' of optimiser rmsprop: input should be a valid number",
    ),
    "not finite": ({"optimiser": "adam", "optimiser_arguments": {"eps": float("inf")}}, "finite"),
    "momentum": (
        {"optimiser": "adamw", "momentum": 0.8},
        "momentum = 0.8 belongs to optimiser sgd, and the recipe's optimiser is adamw",
    ),
    "drops": (
        {"schedule": "cosine", "learning_rate_drops": (0.5,)},
        "learning_rate_drops = (0.5,) belongs to schedule steps, and the recipe's schedule is cosine",
    ),
    "factor": ({"schedule": "linear", "learning_rate_factor": 0.5}, "learning_rate_factor = 0.5 belongs to schedule"),
    "plateau": ({"schedule": "constant", "plateau": 0}, "plateau = 0.0 belongs to schedule steps"),
    "final rate": (
        {"schedule": "constant", "final_learning_rate": 0.1},
        "final_learning_rate = 0.1 belongs to schedule cosine or linear or wsd, and the recipe's schedule is constant",
    ),
    "decay part": ({"schedule": "cosine", "decay_part": 0.1}, "decay_part = 0.1 belongs to schedule wsd"),
    "EMA's decay": ({"ema_decay": 0.9}, "ema_decay = 0.9 belongs to averaging ema, and the recipe's averaging is none"),
    "SWA's start": ({"averaging": "ema", "swa_start": 0.5}, "swa_start = 0.5 belongs to averaging swa"),
    "a long warm-up": (
        {"schedule": "cosine", "epochs": 5, "warm_up_epochs": 5},
        "warm_up_epochs = 5 leave nothing of epochs = 5",
    ),
    "warm-up and decay": (
        {"schedule": "wsd", "epochs": 10, "warm_up_epochs": 3, "decay_part": 0.8},
        "warm_up_epochs = 3 and decay_part = 0.8, which takes 8, leave nothing of epochs = 10",
    ),
    "micro-batches": (
        {"batch_size": 12, "workers": 2, "micro_batches": 4},
        "micro_batches = 4 do not divide a worker's batch of 6 samples",
    ),
    "unrolled micro-batches": ({"unroll": 35, "micro_batches": 2}, "micro_batches = 2 cannot be used with unroll = 35"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_combination_is_one_sentence(case: str) -> None:
    fields, sentence = REFUSED[case]
    with pytest.raises(ValidationError) as refused:
        Recipe.model_validate(fields)
    (error,) = refused.value.errors()
    assert sentence in error["msg"]
    assert "\n" not in error["msg"]


def test_equal_trainings_are_equal_recipes() -> None:
    """Arguments at their defaults, and fields that nothing reads, leave no trace."""
    plain = Recipe(optimiser="adamw", schedule="cosine")
    same = Recipe.model_validate(
        {
            "optimiser": "adamw",
            "optimiser_arguments": {"betas": (0.9, 0.999), "eps": 1e-8, "amsgrad": "false"},
            "schedule": "cosine",
            "momentum": 0,
            "learning_rate_drops": (),
        }
    )
    assert same == plain
    assert same.to_json() == plain.to_json() == '{"optimiser":"adamw","schedule":"cosine"}'
    assert plain.model_copy(update={"optimiser": "sgd", "schedule": "steps"}) == Recipe()
    changed = Recipe(optimiser="adamw", optimiser_arguments={"betas": [0.9, 0.95]})
    assert changed.optimiser_arguments == {"betas": [0.9, 0.95]}
    assert Recipe.model_validate_json(changed.to_json()) == changed


def test_what_is_told_of_a_recipe() -> None:
    """What nothing reads is not told, nor a later field at its default."""
    told = Recipe(optimiser="adamw", schedule="cosine", warm_up_epochs=5).told_fields()
    assert told["optimiser"] == "adamw"
    assert told["warm_up_epochs"] == 5
    assert not any(re.match("momentum|learning_rate_|plateau|averaging|ema|swa", name) for name in told)
    assert list(Recipe().told_fields()) == list(Recipe.model_fields)[:13]
