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
from ban_ray.evaluation.metrics import ERROR
from ban_ray.search.run.prometheus import GAUGES, GENERATIONS, PREFIX, SearchMetrics

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


def test_prometheus_reads_what_chains_report(connected: cluster.Cluster) -> None:
    metrics = SearchMetrics("mine", taken=("x", "y", "z"))
    networks = ("densenet-bc-16-8", "densenet-bc-16-8")
    first, second = {"generation": 0, "key": "k0"}, {"generation": 1, "key": "k1"}
    metrics.on_report(
        "a seed 0", networks, {**first, "epoch": 5, "held_out_error": 12.5, "images_per_second": 9}, ERROR
    )
    metrics.on_report("a seed 0", networks, {**first, "published": True, "held_out_error": 12.0}, ERROR)
    metrics.on_report("a seed 0", networks, {**second, "published": True, "held_out_error": 10.0}, ERROR)
    for chain in ("b seed 0", "c seed 0"):
        metrics.on_report(chain, networks, {**first, "taken": True, "held_out_error": 12.0}, ERROR)
        metrics.on_report(chain, networks, {"generation": 1, "key": "another run's", "taken": True}, ERROR)
        metrics.on_report(chain, networks, {"waiting_for": "0" * 64}, ERROR)
    metrics.set_teacher_error("taught seed 0", 9.0)
    taught = {"generation": 0, "key": "k0", "taken": True, "held_out_error": 12.0}
    metrics.on_report("taught seed 0", networks, taught, ERROR)
    for chain in ("d seed 0", "e seed 0"):
        metrics.on_report(chain, networks, {"ended": "failed", "key": "f", "sentence": "its loss is not finite"}, ERROR)
        metrics.on_chain_end(chain, "its loss is not finite")
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
