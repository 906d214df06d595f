"""Several nodes as processes of this machine, on shared storage."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ban_ray.population import Population, open_storage
from tests.helpers.command import Command, contents, write_space

pytestmark = [pytest.mark.ray, pytest.mark.slow]

CLUSTER = """
import socket
import sys
from ray.cluster_utils import Cluster

# Another Ray of this machine may have the usual port.
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
head = {"num_cpus": 1, "include_dashboard": True, "dashboard_port": port}
cluster = Cluster(initialize_head=True, head_node_args=head)
nodes = [cluster.add_node(num_cpus=1) for _ in range(3)]
cluster.wait_for_nodes()
print(cluster.address, flush=True)
print(nodes[-1].all_processes["raylet"][0].process.pid, flush=True)
for line in sys.stdin:
    if line.strip() == "lose":
        cluster.remove_node(nodes.pop(), allow_graceful=False)
    else:
        nodes.append(cluster.add_node(num_cpus=1))
    print(nodes[-1].all_processes["raylet"][0].process.pid, flush=True)
cluster.shutdown()
"""


@pytest.fixture
def cluster(environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        env={**environment, "RAY_AUTH_MODE": "token"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            # A cluster that is killed leaves its address to every later program of Ray on this machine.
            process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def line(process: Any) -> str:
    return str(process.stdout.readline().strip())


def tell(process: Any, word: str) -> int:
    """Have a node leave or join; the process of the newest raylet."""
    process.stdin.write(word + "\n")
    process.stdin.flush()
    return int(line(process))


def wait_for(what: Callable[[], bool], running: "subprocess.Popen[str]", timeout_s: float = 300) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.05)


def epochs_done(storage: Path) -> list[Path]:
    """Checkpoints of generations in training."""
    return list(storage.glob("unfinished/*/*/epoch-*"))


def trains(raylet: int) -> bool:
    """Whether a worker of Ray Train lives on the node."""
    titles = []
    for child in Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split():
        with suppress(FileNotFoundError):
            titles.append(Path(f"/proc/{child}/cmdline").read_text())
    return any("RayTrainWorker" in title for title in titles)


@pytest.mark.timeout(900)
def test_a_node_is_lost_and_another_joins_on_the_way(
    search: Command,
    tmp_path: Path,
    environment: dict[str, str],
    cluster: "subprocess.Popen[str]",
) -> None:
    address, newest = line(cluster), int(line(cluster))
    environment["RAY_AUTH_MODE"] = "token"
    space = write_space(tmp_path, epochs=60)
    arguments = ("--space", space, "--seeds", "0,1,2")
    running = subprocess.Popen(
        [sys.executable, "-m", "ban_ray.search", *arguments, "--storage", "nodes", "--address", address],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_for(lambda: trains(newest) and len(epochs_done(tmp_path / "nodes")) >= 3, running)
    tell(cluster, "lose")
    added = tell(cluster, "join")
    wait_for(lambda: trains(added), running)
    output, _ = running.communicate(timeout=600)
    assert running.returncode == 0, output
    assert "4 CPUs" in output
    quiet = search(*arguments, "--storage", "quiet")
    assert quiet.status == 0, quiet.err
    assert contents(tmp_path / "nodes") == contents(tmp_path / "quiet")
    population = Population(open_storage(str(tmp_path / "nodes")))
    for name in ("claims", "unfinished"):
        assert population.storage.list(name) == []
