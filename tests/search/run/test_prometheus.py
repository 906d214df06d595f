"""The gauges of a search, as Prometheus reads them from Ray's metrics port."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest

from ban_ray import cluster
from ban_ray.population import Population, open_storage
from ban_ray.runtime.events import ChainEnded, EpochEnded, Published, Reused, Waiting
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.run.prometheus import GENERATIONS, PREFIX, SearchGauges
from ban_ray.search.schedule.outcome import ChainOutcome

pytestmark = pytest.mark.ray

EXPORTED = f"ray_{PREFIX}_"
"""Ray puts its own name before that of a user's metric."""


@pytest.fixture
def connected() -> Iterator[cluster.Cluster]:
    yield cluster.connect(None, namespace="ban_ray")
    cluster.disconnect()


def exported() -> str:
    import ray

    (node,) = ray.nodes()
    with urlopen(f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics") as page:
        return str(page.read().decode())


def chains() -> dict[str, PlannedChain]:
    planned = resolve(SearchOptions(space="chain", network="densenet-bc-10-4", seeds=(0,), generations=1)).chains[0]
    return {row: replace(planned, position=replace(planned.position, row=row)) for row in "abcdef"}


def errors(error: float) -> dict[str, float]:
    return {"held_out_error": error, "test_error": error + 1}


def test_prometheus_reads_what_chains_report(
    connected: cluster.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gauges = SearchGauges("mine", Population(open_storage(str(tmp_path))), initially_published_keys=("x", "y", "z"))
    planned = chains()
    epoch = {"epoch": 5, "held_out_error": 12.5, "images_per_second": 9}
    gauges.on_event(planned["a"], EpochEnded(generation=0, key="k0", epochs=9, metrics=epoch))
    gauges.on_event(planned["a"], Published(generation=0, key="k0", metrics=errors(12.0)))
    gauges.on_event(planned["a"], Published(generation=1, key="k1", metrics=errors(10.0)))
    for chain in (planned["b"], planned["c"]):
        gauges.on_event(chain, Reused(generation=0, key="k0", metrics=errors(12.0)))
        gauges.on_event(chain, Reused(generation=1, key="another run's", metrics={}))
        gauges.on_event(chain, Waiting(key="0" * 64))
    for chain in (planned["d"], planned["e"]):
        gauges.on_event(chain, ChainEnded(status="failed", key="f", message="its loss is not finite"))
        gauges.on_chain_end(chain, ChainOutcome("failed", "its loss is not finite"))
    expected = {
        f'{EXPORTED}{GENERATIONS}{{state="published"}} 2',
        f'{EXPORTED}{GENERATIONS}{{state="taken"}} 4',
        f'{EXPORTED}{GENERATIONS}{{state="waiting"}} 1',
        f'{EXPORTED}{GENERATIONS}{{state="failed"}} 1',
        f'{EXPORTED}gain{{generation="1"}} -2',
        f'{EXPORTED}held_out{{generation="0"}} 12',
        f'{EXPORTED}epoch{{generation="0"}} 5',
        f'{EXPORTED}images_per_second{{generation="0"}} 9',
    }
    deadline = time.monotonic() + 60
    missing = expected
    while missing and time.monotonic() < deadline:
        time.sleep(1)
        lines = [line for line in exported().splitlines() if line.startswith(EXPORTED)]
        missing = {text for text in expected if not any(_holds(line, text) for line in lines)}
    assert not missing


def _holds(line: str, text: str) -> bool:
    name, _, rest = text.partition("{")
    tag, _, value = rest.partition("} ")
    return line.startswith(f"{name}{{") and tag in line and float(line.rpartition(" ")[2]) == float(value)
