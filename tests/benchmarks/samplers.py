"""Samplers and stopping on simulated learning curves (`tests/benchmarks/simulator.py`); nothing is trained.

    python -m tests.benchmarks.samplers quality [--seeds 20] [--samples 24] [--samplers grid,random,tpe,nsga2,gp]
    python -m tests.benchmarks.samplers stopping [--seeds 20] [--samples 24] [--more 0] [--concurrent 4]
    python -m tests.benchmarks.samplers overhead [--chains 160] [--rounds 3]
    python -m tests.benchmarks.samplers chains [--chains 1000] [--no-stopping]

- quality: regret of the configuration that looks best after n samples, points of noise-free error of the last
  generation above the space's best, median and quartiles over seeds; the samplers are asked as in a
  search. The grid is 3 x 3 x 3 in random order.
- stopping: epochs of distinct generations with stopping over without, and the difference of the noise-free errors that
  are found, where `--more` configurations are tried for what is saved; in virtual time, with the search's own
  controller, stopping rule, study and population.
- overhead: seconds per further trial of a search through Tune (`ban_ray.search.search.search` with the simulator as
  its training) over those of plain Tune with OptunaSearch and TPE, whose trials make the same number of reports; in
  interleaved rounds, median and quartiles. In both a process's first trial waits until the others are up
  (`tests/benchmarks/all_up.py`).
- chains: the wall time of a search of that many chains through Tune; with stopping every stopped chain costs the
  start of a process, since its own may not be reused.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from optuna.trial import TrialState

from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.search import search
from ban_ray.search.study.configuration_source import SampledConfigurations
from ban_ray.specs import digest
from ban_ray.specs.parameters import Configuration, grid
from tests.benchmarks import virtual_time
from tests.benchmarks.all_up import AllUp, wait_for_others
from tests.benchmarks.simulated_space import PARAMETERS, network
from tests.benchmarks.simulator import Simulator, final_error

SPACE = str(Path(__file__).with_name("simulated_space.py"))
NOISES = (0.1, 0.3, 1.0)
LAST = 3
MEMORY = Path("/dev/shm")
TOGETHER = 2
"""Chains at once through Tune."""
REPORTS = 9
"""Of a chain of four generations: the rung and the publication of each, and the end."""


FLOOR = min(final_error(network(configuration), LAST) for configuration in grid(PARAMETERS))
"""The lowest noise-free error of the last generation in the space."""


def quartiles(values: Sequence[float], form: str = "{:.2f}") -> str:
    """Median and quartiles."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{form.format(middle)} [{form.format(low)}, {form.format(high)}]"


def regrets_of(sampler: str, samples: int, noise: float, seed: int) -> list[float]:
    """The regret of what looks best after each sample."""
    ask, tell = _grid(seed) if sampler == "grid" else _sampled(sampler, samples, seed)
    shown, best, regrets = float("inf"), float("inf"), []
    for number in range(samples):
        configuration = ask(number)
        true = final_error(network(configuration), LAST)
        seen = true + random.Random(f"{seed} {network(configuration)}").gauss(0, noise)
        tell(configuration, seen)
        if seen < shown:
            shown, best = seen, true
        regrets.append(best - FLOOR)
    return regrets


Ask = Callable[[int], Configuration]
Tell = Callable[[Configuration, float], None]


def _grid(seed: int) -> tuple[Ask, Tell]:
    values: list[Configuration] = [
        {"depth": depth, "growth": growth, "compression": compression}
        for depth in (22, 52, 82)
        for growth in (12, 32, 52)
        for compression in (0.4, 0.5, 0.6)
    ]
    random.Random(seed).shuffle(values)
    return lambda number: values[number], lambda *_: None


def _sampled(sampler: str, samples: int, seed: int) -> tuple[Ask, Tell]:
    source = SampledConfigurations(
        PARAMETERS,
        sampler,
        identity_digest=digest(seed),
        num_samples=samples,
        num_targets=1,
        invalid_reason=lambda _: "",
    )

    def ask(number: int) -> Configuration:
        configuration = source.ask(number)
        assert configuration is not None
        return configuration

    return ask, lambda configuration, value: source.tell(configuration, TrialState.COMPLETE, [value])


def quality(seeds: int, samples: int, samplers: Sequence[str]) -> None:
    """Regret against samples."""
    shown = [count for count in (6, 12, 18, 24, 27, 48, 96) if count <= samples]
    print(f"regret in points after n samples, median [quartiles] over {seeds} seeds")
    for noise in NOISES:
        for sampler in samplers:
            runs = [
                regrets_of(sampler, min(samples, 27) if sampler == "grid" else samples, noise, s) for s in range(seeds)
            ]
            cells = [f"n={n}: {quartiles([r[n - 1] for r in runs])}" for n in shown if n <= len(runs[0])]
            print(f"noise {noise:g}  {sampler:<7} {'   '.join(cells)}", flush=True)


def stopping(seeds: int, samples: int, more: int, concurrent: int) -> None:
    """Epochs and quality with and without stopping; with it `more` configurations are asked for."""
    print(
        f"{samples} configurations by TPE without stopping, {samples + more} with it, {concurrent} at once, "
        f"4 generations of 20 epochs, {seeds} seeds"
    )
    for noise in NOISES:
        parts, losses, regrets, early = [], [], [], []
        for seed in range(seeds):
            results = []
            for stops in (False, True):
                folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
                options = SearchOptions(
                    space=SPACE, split_seed=seed, seeds=(seed,), samples=samples + more * stops, stopping=stops
                )
                results.append(virtual_time.search(resolve(options), folder, noise, concurrent))
                shutil.rmtree(folder)
            parts.append(100 * results[1].epochs / results[0].epochs)
            losses.append(results[1].error - results[0].error)
            regrets.append(results[1].error - FLOOR)
            early.append(results[1].stopped)
        print(
            f"noise {noise:g}  epochs {quartiles(parts, '{:.0f}')} % of those without; found error minus that without "
            f"{quartiles(losses)} points, mean {np.mean(losses):+.2f}; regret {quartiles(regrets)}; "
            f"{np.mean(early):.1f} chains ended early",
            flush=True,
        )


def chains(count: int, stops: bool = True) -> float:
    """Seconds of a whole search through Tune."""
    folder = tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None)
    began = time.perf_counter()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        finished = search(
            SearchOptions(
                space=SPACE, samples=count, sampler="tpe", stopping=stops, storage=folder, concurrent=TOGETHER
            ),
            # A stopped chain's process is not used again, so there is nothing to wait for.
            runner=Simulator(noise=0.3) if stops else AllUp(Simulator(noise=0.3), TOGETHER),
        )
    seconds = time.perf_counter() - began
    assert finished is not None
    assert not finished.failures, finished.failures[:3]
    print(
        f"{count} chains, stopping {stops}: {seconds:.0f} s, {seconds / count:.3f} s each", file=sys.stderr, flush=True
    )
    shutil.rmtree(folder)
    return seconds


def plain(count: int, reports: int) -> float:
    """Seconds of plain Tune with Optuna's TPE and trivial trials, Ray's start included as in `chains`."""
    from ban_ray import cluster

    began = time.perf_counter()
    cluster.connect(None, "plain")
    mark = f"plain-{os.getpid()}-{time.monotonic_ns()}"
    from optuna.samplers import TPESampler
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    def trial(config: dict[str, Any]) -> None:
        wait_for_others(mark, TOGETHER)
        for _ in range(reports):
            tune.report({"error": float(config["x"])})

    with tempfile.TemporaryDirectory() as folder:
        tune.Tuner(
            tune.with_resources(trial, {"memory": 500 * 2**20}),
            param_space={"x": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(
                search_alg=OptunaSearch(sampler=TPESampler(seed=0)),
                metric="error",
                mode="min",
                num_samples=count,
                max_concurrent_trials=TOGETHER,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
    cluster.disconnect()
    seconds = time.perf_counter() - began
    print(f"plain Tune, {count} trials: {seconds:.1f} s, {seconds / count:.3f} s each", file=sys.stderr, flush=True)
    return seconds


def overhead(count: int, rounds: int) -> None:
    """Seconds per trial over plain Tune; the start of Ray and the report page cancel by two sizes of each."""
    small, more = count // 4, count - count // 4
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        ours.append(-(chains(small, stops=False) - chains(count, stops=False)) / more)
        theirs.append(-(plain(small, reports=REPORTS) - plain(count, reports=REPORTS)) / more)
    differences = [own - other for own, other in zip(ours, theirs, strict=True)]
    print(
        f"seconds per further trial, {rounds} rounds of {small} and {count} trials: ours {quartiles(ours, '{:.3f}')}, "
        f"plain Tune {quartiles(theirs, '{:.3f}')}, difference {quartiles(differences, '{:.3f}')}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("quality", "stopping", "overhead", "chains"))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--samples", type=int, default=24)
    parser.add_argument("--samplers", default="grid,random,tpe,nsga2,gp")
    parser.add_argument("--more", type=int, default=0)
    parser.add_argument("--concurrent", type=int, default=4)
    parser.add_argument("--chains", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stopping", action=argparse.BooleanOptionalAction, default=True)
    given = parser.parse_args()
    if given.what == "quality":
        quality(given.seeds, given.samples, given.samplers.split(","))
    elif given.what == "stopping":
        stopping(given.seeds, given.samples, given.more, given.concurrent)
    elif given.what == "overhead":
        overhead(given.chains or 160, given.rounds)
    else:
        chains(given.chains or 1000, given.stopping)


if __name__ == "__main__":
    main()
