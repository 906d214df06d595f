"""The resources that a worker group asks of a cluster."""

import pytest

from ban_ray.cluster import Cluster, WorkerResources
from ban_ray.cluster.capacity import NodeShape
from ban_ray.errors import UserError
from ban_ray.specs import Recipe

LAPTOP = Cluster((NodeShape(2),), started=True)
SERVER = Cluster((NodeShape(64, 8),), started=False)
SMALL = Cluster((NodeShape(0), NodeShape(1, 0, 2), NodeShape(1, 1, 2)), started=False)


def test_workers_take_one_gpu_each_where_there_are_any() -> None:
    assert WorkerResources.for_cluster(LAPTOP, Recipe(), 1, None) == WorkerResources(1, 1, 0, cluster_may_grow=False)
    group = WorkerResources.for_cluster(SERVER, Recipe(workers=2), 4, None)
    assert group == WorkerResources(2, 4, 1)
    assert group.max_concurrent(SERVER) == 4


def test_a_part_of_a_gpu_packs_generations() -> None:
    assert WorkerResources.for_cluster(SERVER, Recipe(), 1, 0.25).max_concurrent(SERVER) == 32
    assert WorkerResources.for_cluster(SERVER, Recipe(), 1, 0.2).max_concurrent(SERVER) == 40
    assert WorkerResources.for_cluster(SERVER, Recipe(), 1, 0).max_concurrent(SERVER) == 64


def test_a_worker_fits_within_a_node() -> None:
    assert WorkerResources.for_cluster(SMALL, Recipe(), 1, 0).max_concurrent(SMALL) == 4
    assert WorkerResources.for_cluster(SMALL, Recipe(workers=2), 1, None).max_concurrent(SMALL) == 1
    with pytest.raises(UserError, match="--workers 1 needs 2 CPUs for each worker, on one node"):
        WorkerResources.for_cluster(SMALL, Recipe(), 2, 0).max_concurrent(SMALL)


@pytest.mark.parametrize(
    ("recipe", "gpus", "cluster", "says"),
    [
        (Recipe(precision="tf32"), None, LAPTOP, "'tf32' needs GPUs"),
        (Recipe(precision="tf32"), 0, SERVER, "'tf32' needs GPUs"),
        (Recipe(workers=2), 0.5, SERVER, "--gpus-per-worker 0.5 needs --workers 1, not 2"),
        (
            Recipe(workers=4),
            None,
            LAPTOP,
            "--workers 4 needs 1 CPU for each worker, on one node, and the cluster has room for 2",
        ),
        (Recipe(), float("nan"), LAPTOP, "--gpus-per-worker nan is no number of GPUs"),
        (Recipe(), float("inf"), SERVER, "--gpus-per-worker inf is no number of GPUs"),
        (Recipe(), 1e-5, SERVER, "--gpus-per-worker 1e-05 is no number of GPUs"),
        (Recipe(), 2, SMALL, "room for 0: 1 node of 0 CPUs, 2 nodes of 1 CPUs, 2 nodes of 1 CPUs and 1 GPUs;"),
        (
            Recipe(),
            1,
            LAPTOP,
            "needs 1 CPU and 1 GPUs for each worker, on one node, and .* room for 0: 1 node of 2 CPUs$",
        ),
    ],
)
def test_what_does_not_fit_is_told(recipe: Recipe, gpus: float | None, cluster: Cluster, says: str) -> None:
    with pytest.raises(UserError, match=says):
        WorkerResources.for_cluster(cluster, recipe, 1, gpus).max_concurrent(cluster)
