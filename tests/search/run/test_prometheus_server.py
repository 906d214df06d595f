"""Debian's Prometheus follows a running search through Ray's service discovery."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from ban_ray import cluster
from ban_ray.population import Population, open_storage
from tests.helpers.command import write_space
from tests.helpers.ports import free_port

PROMETHEUS = shutil.which("prometheus")

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(PROMETHEUS is None, reason="no prometheus on this machine (Debian's package of that name)"),
]

CONFIGURATION = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: ray
    file_sd_configs:
      - files: [{discovery}]
        refresh_interval: 1s
"""


@contextmanager
def prometheus(folder: Path, discovery: Path) -> Iterator[int]:
    """Its port."""
    port = free_port()
    (folder / "prometheus.yml").write_text(CONFIGURATION.format(discovery=discovery))
    assert PROMETHEUS is not None
    with subprocess.Popen(
        [
            PROMETHEUS,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'series'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield port
        finally:
            process.terminate()


def ask(port: int, query: str) -> dict[tuple[str, ...], float]:
    """Values by (network, generation, state), whichever a series has."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/api/v1/query?{urlencode({'query': query})}") as page:
            answer: Any = json.load(page)
    except URLError:
        return {}
    return {
        tuple(series["metric"][tag] for tag in ("chain", "generation", "state") if tag in series["metric"]): float(
            series["value"][1]
        )
        for series in answer["data"]["result"]
    }


@pytest.mark.timeout(600)
def test_its_values_are_the_populations(tmp_path: Path, environment: dict[str, str]) -> None:
    # Paths of Ray's sockets must be short.
    with tempfile.TemporaryDirectory(prefix="r") as short:
        space = write_space(tmp_path, epochs=500)
        running = subprocess.Popen(
            [sys.executable, "-m", "ban_ray.search", "--space", space, "--storage", "runs"],
            cwd=tmp_path,
            env={**environment, "RAY_TMPDIR": short},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with prometheus(tmp_path, Path(short) / "ray" / "prom_metrics_service_discovery.json") as port:
                follow(port, running, tmp_path / "runs")
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(60)


def follow(port: int, running: "subprocess.Popen[bytes]", storage: Path) -> None:
    """Until two students' gains and the number of published generations are what the population says."""
    deadline = time.monotonic() + 400
    while True:
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(1)
        gains = ask(port, "ray_ban_ray_gain")
        published = ask(port, 'ray_ban_ray_generations{state="published"}')
        population = Population(open_storage(str(storage)))
        if len(gains) >= 2 and published == {("published",): float(len(list(population)))}:
            break
    held_out = ask(port, "ray_ban_ray_held_out")
    errors = {(member.generation.network, member.key): member.metrics.held_out_error for member in population}
    students = [member for member in population if member.generation.teachers]
    differences = {
        (member.generation.network, round(errors[member.generation.network, member.key] or 0, 6)): round(
            (member.metrics.held_out_error or 0)
            - (population[member.generation.teachers[0]].metrics.held_out_error or 0),
            6,
        )
        for member in students
    }
    for (chain, generation), gain in gains.items():
        network = chain.split()[0]
        assert differences[network, round(held_out[chain, generation], 6)] == pytest.approx(gain)
    epochs = ask(port, "ray_ban_ray_epoch")
    assert all(epochs[series] == 500 for series in gains)
    assert all(speed > 0 for speed in ask(port, "ray_ban_ray_images_per_second").values())
    panels = json.loads((Path(cluster.__file__).parents[1] / "deploy" / "grafana.json").read_text())["panels"]
    for panel in panels:
        for target in panel["targets"]:
            query = target["expr"].replace("$search", ".*").replace("$__rate_interval", "1m")
            assert ask(port, query), f"{panel['title']}: {query} finds nothing"
