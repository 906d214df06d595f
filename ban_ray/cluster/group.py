"""The resources of a worker group, and whether they fit before anything starts."""

import math
from dataclasses import dataclass
from typing import Self

from ban_ray.cluster.connection import Cluster
from ban_ray.errors import UserError
from ban_ray.specs import Recipe


@dataclass(frozen=True)
class Group:
    """The resources of one generation's worker group: per worker its CPUs, and on a cluster with GPUs one of them or
    a part."""

    workers: int
    cpus_per_worker: int = 1
    gpus_per_worker: float = 0

    @classmethod
    def on(cls, cluster: Cluster, recipe: Recipe, cpus_per_worker: int, gpus_per_worker: float | None) -> Self:
        """The group that trains a recipe; without `gpus_per_worker` one GPU a worker where the cluster has any.

        Raises:
            UserError: `gpus_per_worker` is not finite; the recipe's precision or a part of a GPU does not suit the
                cluster or the number of workers.
        """
        if gpus_per_worker is not None and not math.isfinite(gpus_per_worker):
            raise UserError(f"--gpus-per-worker {gpus_per_worker:g} is no number of GPUs; 1 or a part such as 0.25 is")
        gpus = gpus_per_worker if gpus_per_worker is not None else float(cluster.gpus > 0)
        if recipe.precision == "tf32" and not gpus:
            raise UserError("--precision 'tf32' needs GPUs and none are used here; allowed are fp32 and bf16")
        if recipe.workers > 1 and gpus % 1:
            raise UserError(
                f"--gpus-per-worker {gpus:g} needs --workers 1, not {recipe.workers}: NCCL takes one process a GPU"
            )
        return cls(recipe.workers, cpus_per_worker, gpus)

    def fitting(self, cluster: Cluster) -> int:
        """How many such groups the cluster holds at once.

        Raises:
            UserError: not even one.
        """
        fits = int(cluster.cpus // (self.workers * self.cpus_per_worker))
        if self.gpus_per_worker:
            fits = min(fits, int(cluster.gpus // (self.workers * self.gpus_per_worker)))
        if not fits:
            need = f"{self.workers * self.cpus_per_worker} CPUs"
            have = f"{cluster.cpus:g} CPUs"
            if self.gpus_per_worker:
                need += f" and {self.workers * self.gpus_per_worker:g} GPUs"
                have += f" and {cluster.gpus:g} GPUs"
            raise UserError(f"--workers {self.workers} needs {need} and the cluster has {have}")
        return fits
