"""Search spaces: configurations or parameters, and the chain that each configuration makes."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from ban_ray.errors import UserError
from ban_ray.specs.chain import Chain, SharedLayers, born_again
from ban_ray.specs.objective import Objective
from ban_ray.specs.parameters import Configuration as Configuration
from ban_ray.specs.parameters import Parameters, check
from ban_ray.specs.recipe import Recipe
from ban_ray.specs.task import Task

BASELINE = "baseline"
TEACHER = "teacher"
STUDENT = "student"
"""Column of a generation 0 that members of the population taught."""


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
    """The settings of a space at one scale, unless the command line changes them, with a list of configurations or the
    parameters from which a sampler makes them.

    Attributes:
        label_noise: of the task named here; other tasks start at 0.
        generations: born-again generations after the baseline; a space may lower it for single rows.
        parameters: by name; a condition names parameters that come before.
        samples: number of configurations that a sampler makes from the parameters.
        max_parameters: larger networks are skipped.
        recipes: by task, or by what its samples are called, for those that cannot be trained by `recipe`.

    Raises:
        ValueError: neither or both of a list and parameters, or what `parameters.check` refuses.
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

    def only(self, values: Mapping[str, Collection[str]]) -> "Scale":
        """The scale with those of its configurations that have one of the values of each name, as texts.

        Raises:
            UserError: it is no list, has no such name or value, or no configuration has all of the values.
        """
        if not self.configurations:
            raise UserError("has no effect: the space is sampled and has no list")
        for name, chosen in values.items():
            listed = {str(configuration[name]) for configuration in self.configurations if name in configuration}
            if not listed:
                names = sorted({name for configuration in self.configurations for name in configuration})
                raise UserError(f"there is no parameter {name!r}; allowed are {', '.join(names) or 'none'}")
            if unknown := [value for value in chosen if value not in listed]:
                raise UserError(f"{name} has no value {unknown[0]!r}; allowed are {', '.join(sorted(listed))}")
        configurations = tuple(
            configuration
            for configuration in self.configurations
            if all(str(configuration.get(name)) in chosen for name, chosen in values.items())
        )
        if not configurations:
            raise UserError("no configuration has all of these values")
        return replace(self, configurations=configurations)


@dataclass(frozen=True)
class Network:
    """The network of the command line: name, its builder's arguments, version and start, as in `Generation`."""

    name: str
    arguments: Mapping[str, JsonValue] = field(default_factory=dict)
    version: str = ""
    initial_weights: str | None = None

    def recorded(self) -> dict[str, object]:
        """The fields as older versions wrote them: those that are newer only where they are not at their default."""
        newer = () if self.initial_weights else ("initial_weights",)
        return {name: value for name, value in vars(self).items() if name not in newer}


@dataclass(frozen=True)
class SpaceContext:
    """The settings of one search: those of a scale with the changes of the command line.

    Attributes:
        generations: the command line's number; None for the space's own.
        network: the command line's, for spaces that take one.
        teachers: keys of the members that teach generation 0, for spaces that take them; else it learns from labels.
        recipe_changes: fields of `recipe` that the command line or a searched parameter set, for spaces with a recipe
            for each network.
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

    @property
    def initial_weights_in_words(self) -> str:
        """The weights that generations of the command line's network start from, in words; empty for random ones."""
        sha256 = None if self.network is None else self.network.initial_weights
        return "" if sha256 is None else f"each generation starts from weights {sha256[:12]}"

    def generations_for(self, at_most: int | None = None) -> int:
        """Generations after the baseline: the command line's, else the scale's, up to a row's own limit."""
        if self.generations is not None:
            return self.generations
        return self.default_generations if at_most is None else min(self.default_generations, at_most)

    def born_again(
        self,
        network: str | Network,
        seed: int,
        *,
        students: str | None = None,
        recipe: Recipe | None = None,
        objective: Objective | None = None,
        shared_layers: SharedLayers = "none",
        at_most: int | None = None,
    ) -> Chain:
        """`ban_ray.specs.born_again` with these settings, except those given.

        Args:
            students: network of generations 1 and later; by default the baseline's.
            at_most: as in `generations_for`.
        """
        network = Network(network) if isinstance(network, str) else network
        generations = self.generations_for(at_most)
        return born_again(
            self.task,
            [network.name, *[students or network.name] * generations],
            recipe or self.recipe,
            objective or self.objective,
            seed=seed,
            generations=generations,
            shared_layers=shared_layers,
            network_arguments=network.arguments,
            network_version=network.version,
            teachers=self.teachers,
        )


@dataclass(frozen=True)
class TablePosition:
    """The cells of a chain's generations in a table: a row, and a column for each generation.

    Attributes:
        ensembles: whether the row shows Ens*k of this chain too.
        network: the network whose parameters the row shows; by default the row's name is a network's.
    """

    row: str
    columns: tuple[str, ...]
    ensembles: bool = True
    network: str = ""


def sequence(chain: Chain, first: str = BASELINE) -> TablePosition:
    """The chain's network as the row; baseline (student, if members taught it), BAN-1, BAN-2, ... as the columns."""
    first = STUDENT if chain.generations[0].teachers else first
    return TablePosition(chain.network, (first, *(f"BAN-{k}" for k in range(1, len(chain.generations)))))


@dataclass(frozen=True)
class SearchSpace:
    """A search that can be run by name, with a paper's results to compare with.

    Attributes:
        name: of the file.
        title: a line for `--list`.
        scales: ``laptop`` and, if a paper ran it, ``paper``.
        chain: makes the chain of a configuration, a context and a chain seed.
        paper: the paper's results.
        source: paper and table of those results.
        place: the position of a configuration's chain in the table.
        against: the column that a row's last generation is compared with.
        chooses: options of the command line, and fields of the recipe, that the space decides itself.
        data_task: the task if ``--data`` is given without ``--task``; empty for the scale's own.
        takes_network: whether the network comes from the command line.
        takes_teacher: whether members of the population may teach generation 0.
        is_applicable: whether a configuration of the list has a place at these settings, say their generations.
        drops_beaten: whether the configurations of the list compete: they run seed by seed, and one that is
            distinguishably worse than one that costs no more runs on no further seed.
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
    is_applicable: Callable[[Configuration, SpaceContext], bool] = lambda *_: True
    drops_beaten: bool = False
