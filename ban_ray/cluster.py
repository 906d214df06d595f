"""Connect to Ray or start it, calmly, and check that a worker group fits before anything starts."""

import logging
import os
import signal
import threading
from dataclasses import dataclass
from typing import Any, Self

from ban_ray.errors import UserError
from ban_ray.specs import Recipe

WORKER_ENVIRONMENT = {
    # A worker group then starts in half the time, and reports do not wait for the next poll.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
    # A loaded machine needs more than the default 60 s; whether a group fits is checked before.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",
    "RAY_TRAIN_ENABLE_STATE_TRACKING": "1",
    # One process less to start for each chain: our checkpoints come every epoch, announced or not.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
}

CALM = {
    # Trials report to our own progress lines; files a trial are not read by anyone.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Tune's newer output prints a table of its settings and a path even where it is told to be silent.
    "RAY_AIR_NEW_OUTPUT": "0",
    # Ray's announcement of a change to come that asks nothing of us.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Drivers hold no CPU by design, so a small machine always runs more processes than Ray expects.
    "RAY_DEDUP_LOGS_SKIP_REGEX": "PYTHON worker processes have been started",
}


@dataclass(frozen=True)
class Cluster:
    """What the connected cluster offers.

    Attributes:
        dashboard: its address, empty where there is none.
        started: whether this process started it.
    """

    cpus: float
    gpus: float
    dashboard: str
    started: bool


def connect(address: str | None, namespace: str) -> Cluster:
    """Start Ray on this machine, or connect to the address of a running cluster.

    Raises:
        UserError: nothing answers at the address.
    """
    if address is None:
        # Only for a Ray of our own: with a user's cluster it raises where no token exists.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.update({name: os.environ.get(name, value) for name, value in WORKER_ENVIRONMENT.items()})
    os.environ.update({name: os.environ.get(name, value) for name, value in CALM.items()})
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)
    # What a trial failed of is in its row; that Tune could not write its own files, which nobody reads, is no news.
    for name in ("ray.tune", "ray.train", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    terminated = signal.getsignal(signal.SIGTERM)
    try:
        context = ray.init(
            address=address,
            namespace=namespace,
            log_to_driver=False,
            logging_level=logging.ERROR,
            include_dashboard=None if address else True,
            configure_logging=True,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        if address is None:
            raise
        raise UserError(
            f"--address {address!r}: no Ray cluster answers ({' '.join(str(error).split())[:200]})"
        ) from error
    if threading.current_thread() is threading.main_thread() and terminated is not None:
        # Ray has put a handler of its own there, which prints a C++ trace and ends the process.
        signal.signal(signal.SIGTERM, terminated)
    resources: dict[str, Any] = ray.cluster_resources()
    url = context.dashboard_url
    return Cluster(
        cpus=float(resources.get("CPU", 0)),
        gpus=float(resources.get("GPU", 0)),
        dashboard=f"http://{url}" if url else "",
        started=address is None,
    )


def disconnect() -> None:
    """End the connection, and Ray where this process started it."""
    import ray

    ray.shutdown()


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
            UserError: the recipe's precision or a part of a GPU does not suit the cluster or the number of workers.
        """
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
