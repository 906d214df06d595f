"""Findings and refusals of the doctor, among them on a cluster of two nodes where no search can train."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray

CLUSTER = """
import subprocess
import sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
cluster.add_node(num_cpus=0)
cluster.wait_for_nodes(timeout=200)
command = [sys.executable, "-m", "ban_ray.cluster", "doctor", "--json", "--storage", sys.argv[1]]
status = subprocess.run([*command, "--address", cluster.address]).returncode
cluster.shutdown()
sys.exit(status)
"""


def test_where_a_search_would_be_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLUSTER, str(tmp_path / "runs")],
        env={**os.environ, "RAY_AUTH_MODE": "token"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    told = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    refused, dashboard = told["findings"]
    assert refused.startswith(
        "--workers 1 needs 1 CPU for each worker, on one node, and the cluster has room for 0: 2 nodes"
    )
    assert dashboard.startswith("the dashboard is off")
    assert {node["id"] for node in told["nodes"]} == set(told["metrics"])
    assert len(told["metrics"]) == 2


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
