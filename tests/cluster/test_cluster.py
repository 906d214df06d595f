"""A cluster of Ray's own on this machine: metrics as Prometheus reads them, storage as nodes see it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from ban_ray import cluster
from ban_ray.cluster import nodes
from ban_ray.population import Population
from ban_ray.runtime.events import ChainEnded, EpochEnded, Published, Reused, Waiting
from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.run.prometheus import GAUGES, GENERATIONS, PREFIX, SearchMetrics
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.specs import Chain, sequence
from tests.helpers.chains import plan_chain
from tests.helpers.simulated import simulated_search, train

pytestmark = pytest.mark.ray

EXPORTED = f"ray_{PREFIX}_"
"""Ray puts its own name before that of a user's metric."""


@pytest.fixture(scope="module")
def connected() -> Iterator[cluster.Cluster]:
    yield cluster.connect(None, namespace="ban_ray")
    cluster.disconnect()


def exported() -> str:
    import ray

    (node,) = ray.nodes()
    with urlopen(f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics") as page:
        return str(page.read().decode())


def chain_taught_by_a_member(population: Population) -> tuple[PlannedChain, float]:
    """A chain whose first generation is a member's student, and that member's held-out error."""
    teacher = simulated_search(samples=1).chains_of({"depth": 40, "growth": 12, "compression": 0.5})[0]
    train(population, teacher, until=1)
    key = teacher.chain.keys[0]
    student = teacher.chain.generations[1].model_copy(update={"teachers": (key,), "seed": 9})
    chain = Chain(seed=9, generations=(student,))
    return PlannedChain({}, 9, chain, sequence(chain)), population[key].metrics.held_out_error or 0


def test_prometheus_reads_what_chains_report(connected: cluster.Cluster, population: Population) -> None:
    a, b, c, d, e = (plan_chain(number) for number in range(5))
    metrics = SearchMetrics("mine", population, reused=("x", "y", "z"))
    metrics.on_chain_start(a)
    epoch = {"epoch": 5, "held_out_error": 12.5, "images_per_second": 9}
    metrics.on_event(a, EpochEnded(generation=0, key="k0", epochs=10, values=epoch))
    for number, error in enumerate((12.0, 10.0)):
        metrics.on_event(a, Published(generation=number, key=f"k{number}", values={"held_out_error": error}))
    for planned in (b, c):
        metrics.on_event(planned, Reused(generation=0, key="k0", values={"held_out_error": 12.0}))
        metrics.on_event(planned, Reused(generation=1, key="another run's"))
        metrics.on_event(planned, Waiting(key="0" * 64))
    taught, teacher_error = chain_taught_by_a_member(population)
    metrics.on_chain_start(taught)
    metrics.on_event(taught, Reused(generation=0, key="k0", values={"held_out_error": teacher_error + 3}))
    failure = "its loss is not finite"
    for planned in (d, e):
        metrics.on_event(planned, ChainEnded(status="failed", key="f", message=failure))
        metrics.on_chain_end(planned, ChainOutcome("failed", failure))
    wanted = {
        f'{EXPORTED}{GENERATIONS}{{state="published"}} 2',
        f'{EXPORTED}{GENERATIONS}{{state="taken"}} 4',
        f'{EXPORTED}{GENERATIONS}{{state="waiting"}} 1',
        f'{EXPORTED}{GENERATIONS}{{state="failed"}} 1',
        f'{EXPORTED}gain{{generation="1"}} -2',
        f'{EXPORTED}gain{{generation="0"}} 3',
        f'{EXPORTED}held_out{{generation="0"}} 12',
        f'{EXPORTED}epoch{{generation="0"}} 5',
        f'{EXPORTED}images_per_second{{generation="0"}} 9',
    }
    deadline = time.monotonic() + 60
    missing = wanted
    while missing and time.monotonic() < deadline:
        time.sleep(1)
        lines = [line for line in exported().splitlines() if line.startswith(EXPORTED)]
        missing = {text for text in wanted if not any(_holds(line, text) for line in lines)}
    assert not missing


def _holds(line: str, text: str) -> bool:
    name, _, rest = text.partition("{")
    tag, _, value = rest.partition("} ")
    return line.startswith(f"{name}{{") and tag in line and float(line.rpartition(" ")[2]) == float(value)


def test_every_panel_names_a_metric_that_exists() -> None:
    file = Path(cluster.__file__).parents[1] / "deploy" / "grafana.json"
    dashboard = json.loads(file.read_text())
    known = {EXPORTED + name for name in (*GAUGES, GENERATIONS)}
    used = set()
    for panel in dashboard["panels"]:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            named = {name for name in known if name in target["expr"]}
            assert named, f"{panel['title']}: {target['expr']}"
            used |= named
    assert used == known
    for state in ("published", "taken", "waiting", "failed"):
        assert state in file.read_text()


def test_the_only_node_sees_the_storage(connected: cluster.Cluster, tmp_path: Path) -> None:
    (node,) = nodes.probe_nodes(str(tmp_path / "runs"))
    assert node.storage == ""
    assert node.versions["python"] == sys.version.split()[0]
    assert list((tmp_path / "runs").iterdir()) == [], "the probe is gone"
    nodes.require_shared("/a/path/that/nobody/has")


def test_the_doctor_refuses_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for arguments in (["--storage", str(tmp_path / "file")], ["--address", "127.0.0.1:1"], ["--address", "somewhere"]):
        done = subprocess.run(
            [sys.executable, "-m", "ban_ray.cluster", "doctor", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, done.stderr
        assert done.stderr.strip().splitlines()[-1].startswith("Error: --")
        assert "Traceback" not in done.stderr


def test_a_cluster_that_asks_for_a_token(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    with socket.create_server(("127.0.0.1", 0)) as answers:
        address = f"127.0.0.1:{answers.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-m", "ban_ray.cluster", "doctor", "--address", address],
            env={**environment, "RAY_AUTH_MODE": "token", "HOME": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2, done.stderr
    assert f"Error: --address '{address}' asks for a token and this machine has none" in done.stderr
    assert "Traceback" not in done.stderr
