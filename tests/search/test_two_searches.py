"""Two searches with overlapping spaces on one cluster and one storage, at once."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ban_ray.population import Population, open_storage
from tests.helpers.command import write_space

pytestmark = [pytest.mark.ray, pytest.mark.slow]

CLUSTER = """
import sys, ray
started = ray.init(address="local", num_cpus=2, include_dashboard=True, log_to_driver=False)
print(started.address_info["gcs_address"], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def address(environment: dict[str, str]) -> Iterator[str]:
    """Of a cluster that somebody else started."""
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        env={**environment, "RAY_AUTH_MODE": "token"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as cluster:
        assert cluster.stdout is not None
        yield cluster.stdout.readline().strip()
        assert cluster.stdin is not None
        cluster.stdin.close()


@pytest.mark.timeout(600)
def test_each_generation_is_trained_once(tmp_path: Path, environment: dict[str, str], address: str) -> None:
    space = write_space(tmp_path, epochs=20)
    assert address
    commands = [
        [
            *(sys.executable, "-m", "ban_ray.search", "--space", space, "--storage", "shared", "--seeds", "0,1"),
            *("--address", address, "--name", name, "--generations", generations),
        ]
        for name, generations in (("shallow", "1"), ("deep", "2"))
    ]
    running = [
        subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**environment, "RAY_AUTH_MODE": "token"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command in commands
    ]
    outputs = [process.communicate(timeout=500)[0] for process in running]
    for process, output in zip(running, outputs, strict=True):
        assert process.returncode == 0, output
        assert "FAILED" not in output
        assert "baseline" in output
        assert "±" in output, "the full table, both seeds of each network"
    population = Population(open_storage(str(tmp_path / "shared")))
    distinct = 2 * 2 * 3
    assert len(population.keys()) == distinct
    trained = [line for output in outputs for line in output.splitlines() if "error" in line and "/" in line[:10]]
    published = [line for line in trained if " epoch " not in line]
    assert len(published) == distinct, "\n".join(published)
    assert {str(member.provenance["search"]).rpartition("-")[0] for member in population} == {"shallow", "deep"}
    for name in ("claims", "unfinished"):
        assert population.storage.list(name) == []
    assert (tmp_path / "shared" / "searches" / "deep" / "report" / "index.html").is_file()
