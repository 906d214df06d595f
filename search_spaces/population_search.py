"""A population that searches: network, objective, number of students and who teaches them, sampled together.

No table of the papers, whose sequences are `densenet_grid`. Here the teacher of a chain's first student is a parameter:
its own network trained on labels (`parent`), or members of the population that are there when the trial begins, of this
search and of others: the best, one of the front of error and size, the winner of a tournament, any one, or an average
that is built greedily. No generation waits for the others of its number.

Which objective: a parameter, of those that need no further weight.

    python -m ban_ray.search --space population_search
    python -m ban_ray.search --space population_search --sampler nsga2 --minimise error,parameters --samples 48

Scale `laptop`: noisy digits (not the papers' setting), one seed, networks up to 75 k parameters as in
`densenet_search`, 24 configurations by TPE, each of 1 to 3 students. `--concurrent 1` makes the search a function of
its settings; with more chains at once, what was chosen is recorded and taken again when the search is resumed. There is
no scale `paper`: nobody published such a search.
"""

from dataclasses import replace

from ban_ray.specs import (
    Chain,
    Choice,
    IntRange,
    Objective,
    SearchSpace,
    SpaceContext,
    TablePosition,
    noisy_digits_sampled,
    sequence,
)
from ban_ray.specs.parameters import Configuration, Parameters

PARENT = "parent"
PARAMETERS: Parameters = {
    "teacher": Choice((PARENT, "best", "front", "tournament:3", "random", "greedy:4")),
    "depth": IntRange(10, 34, 6),
    "growth": IntRange(4, 16, 2),
    "objective": Choice(("ban", "ban+l", "cwtm", "dkpp")),
    "students": IntRange(1, 3),
}


def chain(configuration: Configuration, context: SpaceContext, seed: int) -> Chain:
    """The students, after a baseline where no member teaches the first of them."""
    students = int(configuration["students"])
    return replace(context, generations=students if configuration["teacher"] == PARENT else students - 1).born_again(
        f"densenet-bc-{configuration['depth']}-{configuration['growth']}",
        seed,
        objective=Objective(name=str(configuration["objective"])),
    )


def place(configuration: Configuration, chain: Chain) -> TablePosition:
    """The network, objective and teacher as the row."""
    row = f"{chain.network} {configuration['objective']}, teacher {configuration['teacher']}"
    return TablePosition(f"{row}, students {configuration['students']}", sequence(chain).columns, network=chain.network)


SPACE = SearchSpace(
    name="population_search",
    title="Network, objective, number of students and their teacher, sampled from a growing population",
    chain=chain,
    takes_teacher=True,
    place=place,
    chooses=frozenset({"objective", "generations"}),
    scales={"laptop": noisy_digits_sampled("ban+l", PARAMETERS, samples=24, generations=3, max_parameters=75_000)},
)
