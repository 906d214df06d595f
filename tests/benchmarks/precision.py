"""Errors of bf16 beside those of fp32: the same chains by both, paired by seed.

    python -m tests.benchmarks.precision DIR STORAGE [--network densenet-bc-16-12] [--seeds 0,1,2,3,4] [--epochs 8]

DIR holds CIFAR-100 as Parquet files. Printed is the difference of test errors, bf16 less fp32, in points with its
95 % interval by Student's t over the seeds, and images per second. Repeated, it trains only what STORAGE does not hold.
"""

import argparse
import statistics

from scipy import stats

from ban_ray.population import Member, Population, find_storage
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.search import search

PRECISIONS = ("fp32", "bf16")


def trained(choices: SearchOptions) -> None:
    finished = search(choices)
    if finished is None or finished.failures:
        raise SystemExit("a chain failed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("storage")
    parser.add_argument("--network", default="densenet-bc-16-12")
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--generations", type=int, default=1)
    given = parser.parse_args()
    seeds = tuple(int(seed) for seed in given.seeds.split(","))
    for precision in PRECISIONS:
        trained(
            SearchOptions(
                space="chain",
                network=given.network,
                task="cifar100",
                data=given.data,
                storage=given.storage,
                seeds=seeds,
                epochs=given.epochs,
                generations=given.generations,
                precision=precision,
                name=precision,
                as_json=True,
            )
        )
    population = Population(find_storage(given.storage))
    members: dict[tuple[str, int, int], Member] = {}
    for member in population:
        generation = member.generation
        if (generation.network, generation.recipe.epochs) != (given.network, given.epochs):
            continue
        number, seed = (int(str(member.provenance[name])) for name in ("generation_number", "chain_seed"))
        members[member.generation.recipe.precision, number, seed] = member
    for number in range(given.generations + 1):
        fp32, bf16 = ([members[precision, number, seed] for seed in seeds] for precision in PRECISIONS)
        pairs = [
            (first.metrics.test_error, second.metrics.test_error) for first, second in zip(bf16, fp32, strict=True)
        ]
        test = stats.ttest_rel(*zip(*pairs, strict=True))
        low, high = test.confidence_interval(0.95)
        mean = statistics.fmean(a - b for a, b in pairs)
        speeds = [
            statistics.median(float(population.history(member)[-1]["images_per_second"] or 0) for member in group)
            for group in (fp32, bf16)
        ]
        print(
            f"generation {number}: fp32 {statistics.fmean(other for _, other in pairs):.2f} %, bf16 less fp32 "
            f"{mean:+.2f} [{low:.2f}, {high:.2f}], {len(seeds)} seeds, p {test.pvalue:.2f}; "
            f"{speeds[0]:.0f} and {speeds[1]:.0f} images/s"
        )


if __name__ == "__main__":
    main()
