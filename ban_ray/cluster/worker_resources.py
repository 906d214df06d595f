"""The resources of a worker group, and whether they fit before anything starts."""

import math
from dataclasses import dataclass
from typing import Self

from ban_ray.cluster.capacity import units
from ban_ray.cluster.connection import Cluster
from ban_ray.errors import UserError
from ban_ray.specs import Recipe


@dataclass(frozen=True)
class WorkerResources:
    """The resources of a worker group.

    Attributes:
        gpus_per_worker: on a cluster with GPUs one of them or a part.
        cluster_may_grow: whether an autoscaler may add nodes for it.
    """

    workers: int
    cpus_per_worker: int = 1
    gpus_per_worker: float = 0
    cluster_may_grow: bool = True

    @classmethod
    def for_cluster(cls, cluster: Cluster, recipe: Recipe, cpus_per_worker: int, gpus_per_worker: float | None) -> Self:
        """The group that trains a recipe; without `gpus_per_worker` one GPU a worker where the cluster has any.

        Raises:
            UserError: `gpus_per_worker` is not finite or less than Ray can count; the recipe's precision or a part of a
                GPU does not suit the cluster or the number of workers.
        """
        if gpus_per_worker and not (math.isfinite(gpus_per_worker) and units(gpus_per_worker)):
            raise UserError(f"--gpus-per-worker {gpus_per_worker:g} is no number of GPUs; 1 or a part such as 0.25 is")
        gpus = gpus_per_worker if gpus_per_worker is not None else float(cluster.gpus > 0)
        if recipe.precision == "tf32" and not gpus:
            raise UserError("--precision 'tf32' needs GPUs and none are used here; allowed are fp32 and bf16")
        if recipe.workers > 1 and gpus % 1:
            raise UserError(
                f"--gpus-per-worker {gpus:g} needs --workers 1, not {recipe.workers}: NCCL takes one process a GPU"
            )
        return cls(recipe.workers, cpus_per_worker, gpus, cluster_may_grow=not cluster.started)

    def max_concurrent(self, cluster: Cluster) -> int:
        """How many such groups the cluster holds at once.

        Raises:
            UserError: not even one.
        """
        holding = sum(node.workers_that_fit(self.cpus_per_worker, self.gpus_per_worker) for node in cluster.nodes)
        if holding < self.workers:
            each = f"{self.cpus_per_worker} {'CPU' if self.cpus_per_worker == 1 else 'CPUs'}"
            if self.gpus_per_worker:
                each += f" and {self.gpus_per_worker:g} GPUs"
            later = "" if cluster.started else "; nodes to come count where an autoscaler reports its limits to Ray"
            raise UserError(
                f"--workers {self.workers} needs {each} for each worker, on one node, and the cluster has room for "
                f"{holding}: {', '.join(map(str, cluster.nodes))}{later}"
            )
        return holding // self.workers
