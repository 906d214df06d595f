"""Chains: generations in order, each the teacher of the next."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from ban_ray.specs.base import Spec
from ban_ray.specs.generation import Generation
from ban_ray.specs.objective import Objective
from ban_ray.specs.recipe import Recipe
from ban_ray.specs.seeds import derive_seed
from ban_ray.specs.task import Task

LABEL = Objective(name="label")


class Chain(Spec):
    """Generations in order, of which each but the last teaches a later one.

    Generation 0 is the baseline, or taught by a member of the population. The others are born again, or, where several
    networks teach one, learn from labels as the baseline does.
    """

    seed: Annotated[int, Field(ge=0)]
    generations: Annotated[tuple[Generation, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_teaches_a_later_one(self) -> Self:
        for number, generation in enumerate(self.generations[:-1]):
            if not any(generation.key in later.teachers for later in self.generations[number + 1 :]):
                raise ValueError(f"generation {number} teaches no later generation")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(generation.key for generation in self.generations)

    def with_recipes(self, recipes: Sequence[Recipe]) -> "Chain":
        """The same chain with a recipe for each generation; students name the teachers' new keys."""
        keys: dict[str, str] = {}
        generations = []
        for generation, recipe in zip(self.generations, recipes, strict=True):
            teachers = tuple(keys.get(key, key) for key in generation.teachers)
            changed = generation.model_copy(update={"recipe": recipe, "teachers": teachers})
            keys[generation.key] = changed.key
            generations.append(changed)
        return Chain(seed=self.seed, generations=tuple(generations))

    @property
    def network(self) -> str:
        """The last generation's network, after which the chain's row in a table is named."""
        return self.generations[-1].network


SharedLayers = Literal["none", "copied", "frozen"]


def born_again(
    task: Task,
    networks: str | Sequence[str],
    recipe: Recipe,
    objective: Objective,
    *,
    seed: int,
    generations: int,
    taught_by: Literal["parent", "all"] = "parent",
    shared_layers: SharedLayers = "none",
    network_arguments: Mapping[str, JsonValue] | None = None,
    network_version: str = "",
    teachers: Sequence[str] = (),
) -> Chain:
    """A baseline on labels and `generations` students, each taught by the one before it.

    Args:
        networks: one name for all, or one a generation (the baseline's first).
        objective: of generations 1 and later; the baseline learns from labels alone. Without later generations, an
            objective that needs no teacher is the baseline's.
        seed: of the chain; generation k's own seed is derived from it and k.
        generations: the number of born-again generations, without the baseline.
        taught_by: ``all`` averages the probabilities of every generation before.
        shared_layers: of generations 1 and later.
        network_arguments, network_version: of the user's own builder, for every generation.
        teachers: keys of members that teach generation 0, by the same objective; it is then no baseline.

    Raises:
        ValueError: students of an objective that reads no teacher, or another number of networks than generations.
    """
    names = [networks] * (generations + 1) if isinstance(networks, str) else list(networks)
    if len(names) != generations + 1:
        raise ValueError(f"{len(names)} networks for a baseline and {generations} generations")
    if generations and not objective.needs_teacher and shared_layers == "none":
        raise ValueError(f"objective {objective} reads no teacher, so it has no born-again generations; 0 are allowed")
    is_own = bool(teachers) or not (generations or objective.needs_teacher)
    chain: list[Generation] = []
    for number, network in enumerate(names):
        earlier = tuple(generation.key for generation in chain)
        chain.append(
            Generation(
                task=task,
                network=network,
                recipe=recipe,
                objective=objective if number or is_own else LABEL,
                seed=derive_seed(seed, "generation", number),
                teachers=(earlier if taught_by == "all" else earlier[-1:]) if number else tuple(teachers),
                shared_layers=shared_layers if number else "none",
                network_arguments=dict(network_arguments or {}),
                network_version=network_version,
            )
        )
    return Chain(seed=seed, generations=tuple(chain))


def label_only(
    task: Task,
    network: str,
    recipe: Recipe,
    *,
    seed: int,
    objective: Objective = LABEL,
    network_arguments: Mapping[str, JsonValue] | None = None,
    network_version: str = "",
) -> Chain:
    """A chain of one generation that learns from labels: a baseline, or a control with another label objective."""
    baseline = Generation(
        task=task,
        network=network,
        recipe=recipe,
        objective=objective,
        seed=derive_seed(seed, "generation", 0),
        network_arguments=dict(network_arguments or {}),
        network_version=network_version,
    )
    return Chain(seed=seed, generations=(baseline,))
