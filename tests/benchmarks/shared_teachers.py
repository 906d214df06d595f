"""Time that the population saves: the rows of `match_densenet`, searched one after another, teachers shared or not.

    python -m tests.benchmarks.shared_teachers [--seeds 0,1,2,3,4]

For each seed, a search for each student network of the laptop scale: once all into one storage, where the teacher that
the first of them trained is found by the others, once each into a storage of its own. Seconds are those of the commands
as a user types them, start and report included, and those of training alone. The same members must come of both, bit
for bit.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ban_ray.population import Member, Population, open_storage
from search_spaces.match_densenet import SPACE
from tests.benchmarks.under_ray import run_search

ROWS = len(SPACE.scales["laptop"].configurations)

ONE_ROW = """\
from dataclasses import replace

from search_spaces.match_densenet import SPACE as WHOLE

laptop = WHOLE.scales["laptop"]
SPACE = replace(WHOLE, scales={{"laptop": replace(laptop, configurations=laptop.configurations[{row}:][:1])}})
"""


def _searched(space: Path, seed: int, row: int, storage: Path) -> float:
    return run_search("--space", str(space), "--seeds", str(seed), "--name", f"row{row}", storage=str(storage))


def _members(storages: list[Path]) -> list[Member]:
    return [member for storage in storages for member in Population(open_storage(str(storage)))]


def _weights(members: list[Member]) -> dict[str, str]:
    """Of each member's key the hash of its weights."""
    return {member.key: member.weights.sha256 for member in members}


def _training(members: list[Member]) -> float:
    return sum(float(str(member.provenance["seconds"])) for member in members)


@dataclass(frozen=True)
class Seconds:
    """Of all rows without the population and with it: the commands whole, and their training alone."""

    alone: float
    shared: float
    training_alone: float
    training_shared: float

    @property
    def saved(self) -> float:
        return self.alone / self.shared

    @property
    def training_saved(self) -> float:
        return self.training_alone / self.training_shared


def seconds(seed: int) -> Seconds:
    """Search all rows both ways.

    Raises:
        RuntimeError: a search failed, or the two ways trained different members.
    """
    alone = shared = 0.0
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        own = [folder / f"own{row}" for row in range(ROWS)]
        for row in range(ROWS):
            space = folder / f"row{row}.py"
            space.write_text(ONE_ROW.format(row=row))
            alone += _searched(space, seed, row, own[row])
            shared += _searched(space, seed, row, folder / "shared")
        alone_members, shared_members = _members(own), _members([folder / "shared"])
        if _weights(alone_members) != _weights(shared_members):
            raise RuntimeError(
                f"seed {seed}: the members differ: {_weights(alone_members)} and {_weights(shared_members)}"
            )
    return Seconds(alone, shared, _training(alone_members), _training(shared_members))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2,3,4")
    for seed in parser.parse_args().seeds.split(","):
        measured = seconds(int(seed))
        print(
            f"seed {seed}: {measured.alone:.0f} s without the population, {measured.shared:.0f} s with it, "
            f"{measured.saved:.2f}; training alone {measured.training_alone:.1f} s and "
            f"{measured.training_shared:.1f} s, {measured.training_saved:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
