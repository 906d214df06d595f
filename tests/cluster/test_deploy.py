"""The KubeRay file: its entry point is a command that the command line takes. The Grafana file: it shows what searches
publish."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import ban_ray
from ban_ray.search.__main__ import main
from ban_ray.search.run.prometheus import GAUGES, GENERATIONS, PREFIX

yaml = pytest.importorskip("yaml")


@pytest.fixture
def job() -> dict[str, Any]:
    return dict(yaml.safe_load((Path(ban_ray.__file__).parent / "deploy" / "rayjob.yaml").read_text()))


def test_its_entry_point_is_a_search(job: dict[str, Any]) -> None:
    words = shlex.split(job["spec"]["entrypoint"])
    assert words[:3] == ["python", "-m", "ban_ray.search"]
    taken = main.make_context("search", words[3:]).params
    assert taken["scale"] == "paper"
    assert taken["yes"], "nobody is there to ask"
    assert taken["address"] == "auto"


def test_data_and_storage_are_on_a_volume_of_every_pod(job: dict[str, Any]) -> None:
    taken = main.make_context("search", shlex.split(job["spec"]["entrypoint"])[3:]).params
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in groups:
        (container,) = group["template"]["spec"]["containers"]
        mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
        for path in (taken["data"], taken["storage"]):
            assert any(path.startswith(f"{mount}/") for mount in mounts), path
        assert container["resources"]["requests"] == container["resources"]["limits"]


def test_a_node_that_trains_is_always_there(job: dict[str, Any]) -> None:
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for group in cluster["workerGroupSpecs"]:
        assert 1 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_the_dashboard_shows_every_gauge_and_says_what_it_is_of_text() -> None:
    panels = json.loads((Path(ban_ray.__file__).parent / "deploy" / "grafana.json").read_text())["panels"]
    shown: dict[str, str] = {}
    for panel in panels:
        for target in panel["targets"]:
            (gauge, search) = re.fullmatch(
                rf"ray_{PREFIX}_(\w+)\{{search=~\"(\S+?)\"(?:,state=\"\w+\")?\}}", target["expr"]
            ).groups()  # type: ignore[union-attr]
            assert search == "$search"
            shown[gauge] = panel["title"]
    assert shown.keys() == {*GAUGES, GENERATIONS}
    for gauge, meaning in GAUGES.items():
        assert ("text" in shown[gauge]) is ("text" in meaning or "bits" in meaning), gauge
    text = json.dumps(panels)
    assert all(f'state=\\"{state}\\"' in text for state in ("published", "taken", "waiting", "failed"))
