"""Cost as work grows, drawn to a file: straight lines on logarithmic axes, with the exponent of each.

    python -m tests.benchmarks.growth PLOT.svg [--chains 10,100,1000] [--members 100,1000,10000]

- Steps: seconds per image of a student's training, its teacher online, one thread, fp32, against the work of it in
  multiply-accumulates, where growth, depth or batch of DenseNet-BC-22-12 changes and the other two stay.
- Search: seconds of a search of so many simulated chains through Tune (`tests/benchmarks/simulator.py`), the start
  of Ray included.
- Look-up: seconds to find one member among so many, to list all of them through the index after one more was
  published, and for the first list of all.
"""

import argparse
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ban_ray.networks.cost import multiply_accumulates
from ban_ray.population import Population, open_storage
from ban_ray.runtime.malloc import MALLOC_ENVIRONMENT
from ban_ray.specs import Recipe
from ban_ray.training import Teacher
from ban_ray.training.optimizer import SGD
from tests.benchmarks.samplers import chains
from tests.benchmarks.variants import CLASSES, CPU, distilled, network
from tests.helpers.plain_members import a_generation, add

STEPS, ROUNDS = 3, 5
GROWTHS, DEPTHS, BATCHES = (6, 12, 24, 36), (10, 22, 40, 70), (16, 32, 64, 128)
Points = list[tuple[float, float]]


def step_s(name: str, batch: int) -> Callable[[], float]:
    """A function that measures a step's seconds."""
    student, teacher = network(name, True), Teacher([network(name, True)])
    optimiser = SGD(student.parameters(), Recipe())
    images = torch.randn(batch, 3, 32, 32).contiguous(memory_format=torch.channels_last).to(CPU)
    labels = torch.randint(0, CLASSES, (batch,))

    def measure() -> float:
        began = time.perf_counter()
        for _ in range(STEPS):
            loss = distilled(student(images), labels, teacher(images))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step(0.1)
        return (time.perf_counter() - began) / STEPS

    measure()
    return measure


def steps() -> dict[str, Points]:
    """Seconds of a step against its multiply-accumulates, in interleaved rounds."""
    series = {
        "growth": [(f"densenet-bc-22-{growth}", 64) for growth in GROWTHS],
        "depth": [(f"densenet-bc-{depth}-12", 64) for depth in DEPTHS],
        "batch": [("densenet-bc-22-12", batch) for batch in BATCHES],
    }
    kinds = list(dict.fromkeys(kind for kinds in series.values() for kind in kinds))
    measures = {kind: step_s(*kind) for kind in kinds}
    seconds: dict[tuple[str, int], list[float]] = {kind: [] for kind in kinds}
    for _ in range(ROUNDS):
        for kind, measure in measures.items():
            seconds[kind].append(measure())
    return {
        what: [
            (4.0 * batch * multiply_accumulates(name, CLASSES, 3, (32, 32, 3)), statistics.median(seconds[name, batch]))
            for name, batch in kinds
        ]
        for what, kinds in series.items()
    }


def searches(numbers: list[int]) -> dict[str, Points]:
    return {"search": [(number, chains(number, stops=False)) for number in numbers]}


def look_ups(numbers: list[int]) -> dict[str, Points]:
    """A population that grows; ``one member`` is the median of many look-ups."""
    points_by_kind: dict[str, Points] = {"one member": [], "list after one more": [], "first list": []}
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        population = Population(open_storage(folder))
        keys: list[str] = []
        for number in numbers:
            while len(keys) < number:
                keys.append(add(population, a_generation(len(keys)), len(keys)).key)
            population.storage.delete("index")
            points_by_kind["first list"].append((number, _timed(population.records)))
            keys.append(add(population, a_generation(len(keys)), len(keys)).key)
            points_by_kind["list after one more"].append((number, _timed(population.records)))
            chosen = keys[:: max(1, number // 50)]
            single = [_timed(lambda key=key: population[key]) for key in chosen]  # type: ignore[misc]
            points_by_kind["one member"].append((number, statistics.median(single)))
    return points_by_kind


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def exponent(points: Points) -> float:
    """The slope of the least-squares line through the logarithms: 1 is straight, less is better."""
    xs, ys = ([math.log(point[axis]) for point in points] for axis in (0, 1))
    return statistics.linear_regression(xs, ys).slope


def draw(parts: dict[str, dict[str, Points]], file: str) -> None:
    figure = Figure(figsize=(5 * len(parts), 4), layout="constrained")
    for axes, (x_label, series) in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts.items(), strict=True):
        for name, points in series.items():
            axes.plot(*zip(*points, strict=True), marker="o", label=f"{name}, exponent {exponent(points):.2f}")
        axes.set(xscale="log", yscale="log", xlabel=x_label, ylabel="seconds")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.legend()
    figure.savefig(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plot")
    parser.add_argument("--chains", default="10,100,1000", help="none of them: -")
    parser.add_argument("--members", default="100,1000,10000", help="none of them: -")
    given = parser.parse_args()
    if not os.environ.keys() >= MALLOC_ENVIRONMENT.keys():
        # A process that trains has been started with these.
        os.environ.update(MALLOC_ENVIRONMENT)
        os.execv(sys.executable, [sys.executable, "-m", "tests.benchmarks.growth", *sys.argv[1:]])
    torch.set_num_threads(1)
    parts = {"multiply-accumulates of a step": steps()}
    if given.members != "-":
        parts["members"] = look_ups([int(number) for number in given.members.split(",")])
    if given.chains != "-":
        parts["simulated chains"] = searches([int(number) for number in given.chains.split(",")])
    for x_label, series in parts.items():
        for name, points in series.items():
            listed = ", ".join(f"{x:.4g}: {y:.3g} s" for x, y in points)
            print(f"{name} against {x_label}: {listed}; exponent {exponent(points):.2f}")
    draw(parts, given.plot)


if __name__ == "__main__":
    main()
