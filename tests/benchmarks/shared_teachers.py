"""What the population saves: the rows of `match_densenet`, searched one after another, teachers shared or not.

    python -m tests.benchmarks.shared_teachers [--seeds 0,1,2,3,4]

For each seed, a search for each student network of the laptop scale: once all into one storage, where the teacher that
the first of them trained is found by the others, once each into a storage of its own. Seconds are those of the commands
as a user types them, start and report included. The same members must come of both, bit for bit.
"""

import argparse
import tempfile
from pathlib import Path

from ban_ray.population import Population, open_storage
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


def _weights(storages: list[Path]) -> dict[str, str]:
    """Of each member's key the hash of its weights."""
    members = [member for storage in storages for member in Population(open_storage(str(storage)))]
    return {member.key: member.weights.sha256 for member in members}


def seconds(seed: int) -> tuple[float, float]:
    """Seconds of all rows without the population and with it.

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
        one, other = _weights(own), _weights([folder / "shared"])
        if one != other:
            raise RuntimeError(f"seed {seed}: the members differ: {one} and {other}")
    return alone, shared


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2,3,4")
    for seed in parser.parse_args().seeds.split(","):
        alone, shared = seconds(int(seed))
        print(
            f"seed {seed}: {alone:.0f} s without the population, {shared:.0f} s with it, {alone / shared:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
