"""The storage and the versions of a cluster of one node."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ban_ray import cluster
from ban_ray.cluster import nodes

pytestmark = pytest.mark.ray


@pytest.fixture
def connected() -> Iterator[cluster.Cluster]:
    yield cluster.connect(None, namespace="ban_ray")
    cluster.disconnect()


def test_the_only_node_sees_the_storage(connected: cluster.Cluster, tmp_path: Path) -> None:
    (node,) = nodes.probe_nodes(str(tmp_path / "runs"))
    assert node.storage == ""
    assert node.versions["python"] == sys.version.split()[0]
    assert list((tmp_path / "runs").iterdir()) == [], "the probe is gone"
    nodes.require_shared("/a/path/that/nobody/has")
