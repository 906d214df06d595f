"""How many steps an epoch has."""

from ban_ray.errors import UserError
from ban_ray.specs import Recipe
from ban_ray.tasks.catalog import TASK_TYPES


def steps_per_epoch(task: str, samples: int, recipe: Recipe) -> int:
    """Whole batches of training images, or of streams of training tokens with `unroll` steps each.

    Raises:
        UserError: there is not one, or the recipe unrolls images, or does not unroll text.
    """
    kind = TASK_TYPES[task]
    if kind.text != (recipe.unroll > 1):
        need, where = ("at least 2 are needed for text", "language_models") if kind.text else ("1 is allowed", "chain")
        raise UserError(
            f"the recipe unrolls {recipe.unroll} steps in time and task {task} has {kind.samples}: {need}, as in "
            f"space {where}"
        )
    steps = samples // (recipe.batch_size * recipe.unroll)
    if not steps:
        unrolled = f" with {recipe.unroll} unrolled steps" if recipe.unroll > 1 else ""
        most = samples // recipe.unroll
        allowed = f"allowed are 1 to {most}" if most else f"at least {recipe.unroll} {kind.samples} are needed"
        raise UserError(
            f"batch size {recipe.batch_size}{unrolled} is larger than the {samples} training {kind.samples}; {allowed}"
        )
    return steps
