"""A search on more and more nodes: wall time against the ideal.

    python -m tests.benchmarks.scaling simulated [--nodes 1,4,16] [--chains 200] [--chain-s 3]
    python -m tests.benchmarks.scaling laptop [--nodes 1,4]

Nodes are Ray nodes of one CPU each, processes of this machine, beside a head without CPUs.

- simulated: chains that hold a node's CPU for `--chain-s` seconds and train nothing (`tests/benchmarks/simulator.py`),
  through Tune, study and population; the ideal is chains x seconds / nodes. A trial's process waits in its first chain
  until all are up (`tests/benchmarks/all_up.py`); that is in the time.
- laptop: `densenet_grid` with one seed, 4 chains; the ideal is that on one node / min(nodes, cores here).
"""

import argparse
import os
import shutil
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ban_ray.cluster import WorkerResources
from ban_ray.runtime.events import EventHandler
from ban_ray.runtime.messages import JobResult, TrainingJob
from ban_ray.runtime.trial import JobRunner
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.search import search
from tests.benchmarks.all_up import AllUp
from tests.benchmarks.simulator import Simulator

SPACE = str(Path(__file__).with_name("simulated_space.py"))


def _hold(seconds: float) -> None:
    time.sleep(seconds)


@dataclass(frozen=True)
class OnNode:
    """A `JobRunner` that holds one CPU of some node for a while, then publishes what the simulator says."""

    seconds: float

    def __call__(
        self, job: TrainingJob, resources: WorkerResources, on_event: EventHandler, *, name: str, folder: str
    ) -> JobResult:
        import ray

        # Tune would put it onto the resources of the trial, which are none of a node's CPUs.
        held = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(_hold)
        ray.get(held.remote(self.seconds))
        return Simulator(noise=0.3)(job, resources, on_event, name=name, folder=folder)


def start(nodes: int) -> Any:
    """A cluster of its own; started before this process connects to it."""
    from ray.cluster_utils import Cluster

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": True, "dashboard_port": port}
    )
    for _ in range(nodes):
        cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    return cluster


def timed(nodes: int, choices: dict[str, Any], runner: JobRunner | None) -> float:
    """Seconds of a whole search on a cluster of so many nodes, its start not counted."""
    cluster, storage = start(nodes), tempfile.mkdtemp()
    try:
        began = time.perf_counter()
        finished = search(
            SearchOptions(storage=storage, address=cluster.address, concurrent=nodes, as_json=True, **choices),
            runner=runner,
        )
        seconds = time.perf_counter() - began
        assert finished is not None
        assert not finished.failures, finished.failures[:3]
        return seconds
    finally:
        cluster.shutdown()
        shutil.rmtree(storage)


def simulated(nodes: list[int], chains: int, chain_s: float) -> None:
    choices = {"space": SPACE, "samples": chains, "sampler": "random", "stopping": False}
    for count in nodes:
        seconds, ideal = timed(count, choices, AllUp(OnNode(chain_s), count)), chains * chain_s / count
        print(
            f"{chains} chains of {chain_s:g} s on {count} nodes: {seconds:.0f} s, ideal {ideal:.0f} s, "
            f"{100 * ideal / seconds:.0f} %",
            file=sys.stderr,
            flush=True,
        )


def laptop(nodes: list[int]) -> None:
    times: list[float] = []
    for count in nodes:
        times.append(timed(count, {"space": "densenet_grid", "seeds": (0,)}, None))
        ideal = times[0] * nodes[0] / min(count, os.cpu_count() or 1)
        print(f"densenet_grid, one seed, on {count} nodes: {times[-1]:.0f} s, ideal {ideal:.0f} s", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("simulated", "laptop"))
    parser.add_argument("--nodes", default=None)
    parser.add_argument("--chains", type=int, default=200)
    parser.add_argument("--chain-s", type=float, default=3.0)
    given = parser.parse_args()
    # Trials must find the simulator, and nothing here is secret.
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    if given.what == "simulated":
        simulated([int(count) for count in (given.nodes or "1,4,16").split(",")], given.chains, given.chain_s)
    else:
        laptop([int(count) for count in (given.nodes or "1,4").split(",")])


if __name__ == "__main__":
    main()
