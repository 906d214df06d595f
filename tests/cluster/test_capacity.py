"""Nodes that an autoscaler may add are counted, as Ray's own Train counts them."""

from collections.abc import Iterator

import pytest

from ban_ray import cluster
from ban_ray.cluster.capacity import UNLIMITED, NodeShape, capacity
from ban_ray.specs import Recipe

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module", autouse=True)
def connected() -> Iterator[cluster.Cluster]:
    yield cluster.connect(None, namespace="ban_ray")
    cluster.disconnect()


def report(*groups: tuple[dict[str, int], int], limits: dict[str, int] | None = None) -> None:
    """Tell Ray, as an autoscaler does, of groups of nodes and how many of each there may be."""
    import ray
    from ray._private.worker import global_worker
    from ray.core.generated.autoscaler_pb2 import ClusterConfig, NodeGroupConfig

    nodes = [NodeGroupConfig(resources=resources, max_count=count) for resources, count in groups]
    config = ClusterConfig(node_group_configs=nodes, max_resources=limits or {})
    assert ray.is_initialized()
    global_worker.gcs_client.report_cluster_config(config.SerializeToString())


def test_nodes_that_are_not_there_yet_count(connected: cluster.Cluster) -> None:
    (here,) = capacity()
    assert connected.nodes == (here,)
    report(({"CPU": 8, "GPU": 1}, 3), ({"CPU": int(here.cpus)}, 1))
    there = capacity()
    assert there == tuple(sorted((here, NodeShape(8, 1, 3)), key=lambda node: node.cpus)), (
        "this node is one of its group"
    )
    grown = cluster.Cluster(there, started=False)
    group = cluster.WorkerResources.for_cluster(grown, Recipe(), 1, None)
    assert group.gpus_per_worker == 1
    assert group.max_concurrent(grown) == 3


def test_limits_of_the_autoscaler(connected: cluster.Cluster) -> None:
    report(({"CPU": 8, "GPU": 2}, -1))
    assert NodeShape(8, 2, UNLIMITED) in capacity()
    report(({"CPU": 8, "GPU": 2}, -1), limits={"GPU": 6})
    assert NodeShape(8, 2, 3) in capacity()
    report(({"CPU": 8, "GPU": 2}, 0))
    assert capacity() == connected.nodes
