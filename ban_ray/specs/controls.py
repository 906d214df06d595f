"""Controls: networks that learn without a teacher, for a gain of self-distillation to be compared with.

A control is asked for by whoever explains the gain without a teacher. With K born-again generations, a chain costs
K + 1 trainings, and so much may each control cost:

| control | trainings | asked for by |
|---|---|---|
| labels | 1 | Furlanello et al. 2018 |
| loss doubled (BAN+L sums two losses) | 1 | a scale of gradients that was not tuned |
| early stopping, for 1 and for K + 1 times the epochs | 1, K + 1 | Dong et al. 2019; Cho and Hariharan 2019 |
| EMA and SWA of weights | 1 | Tarvainen and Valpola 2017; Izmailov et al. 2018 |
| label smoothing, chosen from K + 1 values | K + 1 | Yuan et al. 2020; Müller et al. 2019 |
| `virtual`, a teacher made of the label | 1 | Yuan et al. 2020 |
| `beta`, smoothing by each sample's own amount | 1 | Zhang and Sabuncu 2020 |
| `self-ema`, its own average as the teacher | 1 | Kim et al. 2021 |
| learning rate and weight decay, chosen from K + 1 pairs | K + 1 | Mobahi et al. 2020; Dang et al. 2026 |
| K + 1 times the epochs, the last one taken | K + 1 | equal compute |
| K + 1 independent networks as an ensemble | K + 1 | Furlanello et al. 2018, Lakshminarayanan et al. 2017 |
| that ensemble distilled into one network | K + 2 | Allen-Zhu and Li 2020: an upper bound that costs more |

A training is one of the recipe's epochs. A forward pass of a teacher comes on top, about a third of a training step:
of born-again students, of `self-ema` and `beta` (their own average) and, once for each member, of an ensemble.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from ban_ray.specs.chain import LABEL, Chain, label_only
from ban_ray.specs.generation import Generation
from ban_ray.specs.objective import Objective
from ban_ray.specs.recipe import Recipe
from ban_ray.specs.seeds import derive_seed
from ban_ray.specs.space import SpaceContext

BASELINE_ALONE = "label"
DOUBLED = "label:label_weight=2"
"""Labels with a doubled loss: BAN+L sums two losses, so its gradient is about twice that of labels alone."""

SMOOTHED = "label:label_smoothing=0.1"
ALL_EPOCHS = "label, all epochs"
"""One network, trained for the epochs of the whole chain."""

EARLY_STOPPED = "label, early stopping"
"""The epoch of the lowest held-out error."""

ALL_EPOCHS_STOPPED = "label, all epochs, early stopping"
EMA, SWA = "label, EMA", "label, SWA"
VIRTUAL, BETA, SELF_EMA = "virtual:temperature=20", "beta", "self-ema"
ENSEMBLE_DISTILLED = "ban+l, of an ensemble"
"""A student of the baseline and as many independent networks as the chain has generations."""

_INDEPENDENT = "label, independent "
_TUNED = "label, learning rate x{:g}, weight decay x{:g}"
_SMOOTHING = (0.1, 0.2, 0.05, 0.3, 0.4)
_TRIES = ((1, 5), (3, 1), (0.3, 5), (3, 5), (0.3, 1), (1, 0.2), (3, 0.2), (0.3, 0.2))
"""Factors of learning rate and weight decay. More decay comes first, since distillation acts as such (Mobahi 2020)."""

_AVERAGING = {EARLY_STOPPED: "best", ALL_EPOCHS_STOPPED: "best", EMA: "ema", SWA: "swa"}
_RECIPES = {_TUNED.format(rate, decay): (rate, decay) for rate, decay in _TRIES}

TUNED_SMOOTHING = tuple(f"label:label_smoothing={value:g}" for value in _SMOOTHING)
"""Values to choose from beside none, in the order in which a budget buys them."""

TUNED_RECIPES = tuple(_RECIPES)
"""Changes of the recipe to choose from beside none, in the order in which a budget buys them."""


def independent(count: int) -> tuple[str, ...]:
    """Names of label-only networks with other initial weights and another order of samples."""
    return tuple(f"{_INDEPENDENT}{number}" for number in range(1, count + 1))


def is_affordable(name: str, context: SpaceContext) -> bool:
    """Whether a control is one of those that a chain's K + 1 trainings buy, and whether the protocol allows it.

    Three independent networks are always bought.
    """
    generations = context.generations_for()
    if _AVERAGING.get(name) == "best" and context.task.protocol == "paper":
        return False
    if name.startswith(_INDEPENDENT):
        return int(name.removeprefix(_INDEPENDENT)) <= max(3, generations)
    if name == ENSEMBLE_DISTILLED:
        return generations > 0
    tries = next((tries for tries in (TUNED_SMOOTHING, TUNED_RECIPES) if name in tries), None)
    return tries is None or tries.index(name) < max(1, generations)


class Budget:
    """Trainings of a recipe's epochs that one seed may cost; a generation that several chains share is paid once.

    Args:
        text: such as ``12x``; None for no limit.
    """

    def __init__(self, text: str | None, recipe: Recipe) -> None:
        self._limit = float("inf") if text is None else float(text[:-1]) * recipe.trained_epochs
        self._paid: dict[str, int] = {}

    def try_to_buy(self, chain: Chain) -> bool:
        """Whether what is left pays for a chain, which it then does."""
        paid = {**self._paid, **{made.key: made.recipe.trained_epochs for made in chain.generations}}
        is_paid = sum(paid.values()) <= self._limit
        if is_paid:
            self._paid = paid
        return is_paid


def control(
    name: str,
    network: str,
    context: SpaceContext,
    seed: int,
    *,
    network_arguments: Mapping[str, JsonValue] | None = None,
    network_version: str = "",
) -> Chain:
    """The control of this name for a chain's network, context and seed.

    Args:
        name: one of the constants above, one of `independent`, or an objective without a teacher.

    Raises:
        ValueError: an objective that needs a teacher.
    """
    own: dict[str, Any] = {"network_arguments": network_arguments, "network_version": network_version}
    if name == ENSEMBLE_DISTILLED:
        return _ensemble_distilled(network, context, seed, own)
    objective = LABEL if name.startswith("label,") else Objective.parse(name)
    if objective.needs_teacher:
        raise ValueError(f"{name} needs a teacher; a control learns from labels alone")
    if name.startswith(_INDEPENDENT):
        seed = derive_seed(seed, "independent", int(name.removeprefix(_INDEPENDENT)))
    return label_only(context.task, network, _recipe(name, context), seed=seed, objective=objective, **own)


def _recipe(name: str, context: SpaceContext) -> Recipe:
    """The recipe of a control: the context's with the change that the name tells."""
    recipe, changes = context.recipe, dict[str, Any]()
    if name in (ALL_EPOCHS, ALL_EPOCHS_STOPPED):
        changes["epochs"] = recipe.epochs * (context.generations_for() + 1)
    if name in _AVERAGING and recipe.averaging != _AVERAGING[name]:
        fields = Recipe.model_fields
        changes |= {field: fields[field].default for field in ("ema_decay", "swa_start")}
        changes["averaging"] = _AVERAGING[name]
    if name in _RECIPES:
        rate, decay = _RECIPES[name]
        # Rounded: three times 0.1 is 0.3 and not 0.30000000000000004.
        changes["learning_rate"] = float(f"{recipe.learning_rate * rate:.6g}")
        changes["weight_decay"] = float(f"{recipe.weight_decay * decay:.6g}")
    return recipe.model_copy(update=changes) if changes else recipe


def _ensemble_distilled(network: str, context: SpaceContext, seed: int, own: Mapping[str, Any]) -> Chain:
    """Label-only networks, the baseline first, and a student of their averaged probabilities."""
    count = context.generations_for()
    names = (BASELINE_ALONE, *independent(count))
    teachers = [control(name, network, context, seed, **own).generations[0] for name in names]
    student = Generation(
        task=context.task,
        network=network,
        recipe=context.recipe,
        objective=Objective(name="ban+l"),
        seed=derive_seed(seed, "generation", count + 1),
        teachers=tuple(teacher.key for teacher in teachers),
        network_arguments=dict(own["network_arguments"] or {}),
        network_version=own["network_version"],
    )
    return Chain(seed=seed, generations=(*teachers, student))
