"""Controls: label-only networks that a gain has to be compared with."""

from collections.abc import Mapping

from pydantic import JsonValue

from ban_ray.specs.chain import Chain, label_only
from ban_ray.specs.objective import Objective
from ban_ray.specs.seeds import derive_seed
from ban_ray.specs.space import SpaceContext

DOUBLED = "label:label_weight=2"
"""Labels with a doubled loss: BAN+L sums two losses, so its gradient is about twice that of labels alone."""

SMOOTHED = "label:label_smoothing=0.1"
ALL_EPOCHS = "label, all epochs"
"""One network, trained for the epochs of the whole chain."""

_INDEPENDENT = "label, independent "


def independent(count: int) -> tuple[str, ...]:
    """Names of label-only networks with other initial weights and another order of samples."""
    return tuple(f"{_INDEPENDENT}{number}" for number in range(1, count + 1))


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
        name: one of the constants above, one of `independent`, or a label objective.

    Raises:
        ValueError: an objective that needs a teacher.
    """
    recipe, objective = context.recipe, Objective.parse("label" if name.startswith("label,") else name)
    if objective.needs_teacher:
        raise ValueError(f"{name} needs a teacher; a control learns from labels alone")
    if name == ALL_EPOCHS:
        recipe = recipe.model_copy(update={"epochs": recipe.epochs * (context.generations_for() + 1)})
    if name.startswith(_INDEPENDENT):
        seed = derive_seed(seed, "independent", int(name.removeprefix(_INDEPENDENT)))
    return label_only(
        context.task,
        network,
        recipe,
        seed=seed,
        objective=objective,
        network_arguments=network_arguments,
        network_version=network_version,
    )
