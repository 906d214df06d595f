"""The choices of a search's options, each checked against its space."""

from pydantic import ValidationError

from ban_ray.cli.params import first_sentence, option_name, validated
from ban_ray.errors import UserError
from ban_ray.networks import registry
from ban_ray.networks.source_version import chosen_version
from ban_ray.search.config.options import SearchOptions
from ban_ray.specs import Network, Objective, Recipe, Scale, SearchSpace, Task
from ban_ray.specs.teacher_choice import TeacherChoice
from ban_ray.tasks.catalog import TASK_TYPES
from ban_ray.tasks.source import Source


def resolve_task_name(options: SearchOptions, scale: Scale, space: SearchSpace) -> str:
    name = options.task or (space.data_task if options.data is not None else "") or scale.task
    if name not in TASK_TYPES:
        raise UserError(f"--task {name!r} is unknown; allowed are {', '.join(TASK_TYPES)}")
    return name


def resolve_teacher(options: SearchOptions, space: SearchSpace) -> TeacherChoice:
    try:
        choice = TeacherChoice.parse(options.teacher)
    except ValueError as error:
        raise UserError(f"--teacher {error}") from error
    if choice.kind != "parent" and not space.takes_teacher:
        raise UserError(f"--teacher {options.teacher!r} has no effect: space {space.name} has its own teachers")
    return choice


def resolve_network(options: SearchOptions, space: SearchSpace) -> Network | None:
    if not space.takes_network:
        for name in ("network", "network_args", "network_version"):
            if (value := getattr(options, name)) is not None:
                raise UserError(f"{option_name(name)} {value!r} has no effect: space {space.name} has its own networks")
        return None
    if options.network is None:
        raise UserError(f"space {space.name} needs --network; allowed are {', '.join(registry.forms())}")
    arguments = options.network_args or {}
    architecture = registry.parse(options.network, arguments or None)
    return Network(architecture.name, arguments, chosen_version(architecture, options.network_version))


def resolve_objective(options: SearchOptions, scale: Scale) -> Objective:
    if options.objective is None:
        return scale.objective
    try:
        return Objective.parse(options.objective)
    except (ValidationError, ValueError) as error:
        raise UserError(f"--objective {options.objective!r}: {first_sentence(error)}") from error


def recipe_changes(options: SearchOptions) -> dict[str, object]:
    """The fields of a recipe that the command line sets."""
    given = {
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "precision": options.precision,
        "workers": options.workers,
        "teacher_outputs": None if options.teacher_cache is None else "cached",
    }
    return {name: value for name, value in given.items() if value is not None}


def resolve_recipe(options: SearchOptions, scale: Scale, task: str) -> Recipe:
    recipe = scale.recipes.get(task) or scale.recipes.get(TASK_TYPES[task].samples, scale.recipe)
    return validated(Recipe, recipe.model_dump() | recipe_changes(options))


def resolve_task(source: Source, fingerprint: str, options: SearchOptions, scale: Scale, noise: float) -> Task:
    fields = {
        "name": source.name,
        "fingerprint": fingerprint,
        "split_seed": options.split_seed,
        "label_noise": noise,
        "protocol": options.protocol or scale.protocol,
        "tokens": source.tokens,
    }
    task = validated(Task, fields)
    if task.split_seed and task.protocol == "paper" and not task.label_noise:
        raise UserError(
            f"--split-seed {task.split_seed} has no effect with --protocol paper, which holds nothing out, without "
            "--label-noise"
        )
    return task
