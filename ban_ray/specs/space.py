"""A search space: parameters, and the chain that each setting of them makes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from ban_ray.specs.chain import Chain
from ban_ray.specs.objective import Objective
from ban_ray.specs.parameters import Configuration, Parameters, Value, check
from ban_ray.specs.recipe import Recipe
from ban_ray.specs.task import Task

__all__ = [
    "BASELINE",
    "TEACHER",
    "Configuration",
    "Network",
    "PaperRow",
    "Scale",
    "SearchSpace",
    "SpaceContext",
    "TablePosition",
    "Value",
    "sequence",
]

BASELINE = "baseline"
TEACHER = "teacher"
STUDENT = "student"
"""Column of a generation 0 that a member of the population taught."""


@dataclass(frozen=True)
class PaperRow:
    """One row of a paper's table; errors in percent on the test set, or perplexities, None where it prints '/'."""

    network: str
    parameters_millions: float | None
    baseline: float | None
    generations: tuple[float | None, ...] = ()
    ensembles: Mapping[int, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Scale:
    """What a space runs at one scale unless the command line says otherwise: a list of configurations, or parameters
    from which a sampler makes them.

    Attributes:
        label_noise: set only for the task named here; another task starts at 0.
        generations: born-again generations after the baseline; a space may cap it for single rows.
        parameters: by name; a condition names parameters that come before.
        samples: configurations that a sampler makes of the parameters.
        max_parameters: larger networks are passed over.
        recipes: by task, for those that cannot be trained by `recipe`.

    Raises:
        ValueError: neither or both of a list and parameters, or a condition that can never hold.
    """

    task: str
    recipe: Recipe
    objective: Objective
    generations: int
    seeds: tuple[int, ...]
    configurations: tuple[Configuration, ...] = ()
    label_noise: float = 0.0
    protocol: str = "search"
    parameters: Parameters = field(default_factory=dict)
    samples: int = 0
    max_parameters: int | None = None
    recipes: Mapping[str, Recipe] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.configurations) == bool(self.parameters):
            raise ValueError("a scale has either configurations or parameters")
        if bool(self.parameters) != (self.samples > 0):
            raise ValueError(f"samples = {self.samples}: a scale with parameters has at least 1, one without has 0")
        check(self.parameters)


@dataclass(frozen=True)
class Network:
    """A network of the user's: its name, what its builder is called with, and its version, as generations have it."""

    name: str
    arguments: Mapping[str, JsonValue] = field(default_factory=dict)
    version: str = ""


@dataclass(frozen=True)
class SpaceContext:
    """What one search runs: a scale with the command line's choices in it.

    Attributes:
        generations: the number asked for on the command line, None for the space's own.
        network: the one asked for on the command line, for spaces that take one.
        teachers: keys of the members that teach generation 0, for spaces that take them; else it learns from labels.
        recipe_changes: what the command line set in `recipe`, for spaces with a recipe for each network.
    """

    scale: str
    task: Task
    recipe: Recipe
    objective: Objective
    default_generations: int
    generations: int | None = None
    network: Network | None = None
    teachers: tuple[str, ...] = ()
    recipe_changes: Mapping[str, object] = field(default_factory=dict)

    def generations_for(self, at_most: int | None = None) -> int:
        """Generations after the baseline: the command line's, else the scale's up to a row's own cap."""
        if self.generations is not None:
            return self.generations
        return min(self.default_generations, at_most) if at_most is not None else self.default_generations


@dataclass(frozen=True)
class TablePosition:
    """Where a chain's generations stand in a table: a row, and a column for each generation.

    Attributes:
        ensembles: whether Ens*k of this chain stands in the row too.
        network: whose parameters the row shows; by default the row's name is a network's.
    """

    row: str
    columns: tuple[str, ...]
    ensembles: bool = True
    network: str = ""


def sequence(chain: Chain, first: str = BASELINE) -> TablePosition:
    """The chain's network as the row; baseline (student, where members taught it), BAN-1, BAN-2, ... as the columns."""
    first = STUDENT if chain.generations[0].teachers else first
    return TablePosition(chain.network, (first, *(f"BAN-{k}" for k in range(1, len(chain.generations)))))


@dataclass(frozen=True)
class SearchSpace:
    """A runnable lab note.

    Attributes:
        name: the file's name.
        title: one line for `--list`.
        scales: ``laptop`` and, where a paper ran it, ``paper``.
        chain: makes the chain of a configuration for a setting and a chain seed.
        paper: the papers' figures, keyed by network name.
        source: table and paper of those figures.
        place: where a chain stands in the table.
        against: the column that a row's last generation is compared with.
        chooses: options of the command line that the space decides itself.
        data_task: the task where ``--data`` is given without ``--task``; empty for the scale's own.
        takes_network: whether the network comes from the command line.
        takes_teacher: whether members of the population may teach generation 0.
    """

    name: str
    title: str
    scales: Mapping[str, Scale]
    chain: Callable[[Configuration, SpaceContext, int], Chain]
    paper: tuple[PaperRow, ...] = ()
    source: str = ""
    place: Callable[[Configuration, Chain], TablePosition] = lambda _, chain: sequence(chain)
    against: str = BASELINE
    chooses: frozenset[str] = frozenset()
    takes_network: bool = False
    takes_teacher: bool = False
    data_task: str = ""
