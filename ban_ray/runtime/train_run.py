"""A Ray Train run whose worker group trains job after job."""

import os
import secrets
import threading
from contextlib import suppress
from typing import Any

from ban_ray.cluster import WORKER_ENVIRONMENT, WorkerGroup, ray_internals
from ban_ray.runtime.events import EventHandler, from_record
from ban_ray.runtime.mailbox import JobMailbox
from ban_ray.runtime.malloc import MALLOC_ENVIRONMENT
from ban_ray.runtime.messages import JobResult, TrainingJob
from ban_ray.runtime.worker_loop import train_loop_per_worker

ABORT_TIMEOUT_S = 10.0


class TrainRunEnded(Exception):
    """The Ray Train run has ended while a job was in training; the text says why."""


class TrainRun:
    """A Ray Train run that has been started, in a thread of this process.

    Args:
        name: of the run, readable on the dashboard.
        folder: for Train's own files, reachable from every node.

    Attributes:
        name: also that of the run's controller, the actor with its `JobMailbox`.
        group: what the workers take.
    """

    def __init__(self, group: WorkerGroup, *, name: str, folder: str) -> None:
        self.name, self.group = f"{name}-{secrets.token_hex(4)}", group
        self._mailbox: Any = None
        self._error = ""
        self._started = threading.Event()
        trainer = self._make_trainer(folder)
        self._thread = threading.Thread(target=self._fit, args=(trainer,), name="Ray Train", daemon=True)
        self._thread.start()

    def train(self, job: TrainingJob, on_event: EventHandler, *, name: str) -> JobResult:
        """Train a job; its events are handled in this thread.

        Args:
            name: of the job, for the dashboard's page of tasks.

        Raises:
            TrainRunEnded: a worker has died, or the run could not be started.
        """
        import ray

        self._started.wait()
        if self._mailbox is None:
            raise TrainRunEnded(self._error)
        try:
            text = job.model_dump_json(exclude_defaults=True)
            answer = self._mailbox.train.options(name=name).remote(job.run, text)
            while records := ray.get(self._mailbox.receive.remote(job.run)):
                for record in records:
                    if (event := from_record(record)) is not None:
                        on_event(event)
            result = ray.get(answer)
        except ray.exceptions.RayError as error:
            raise TrainRunEnded(self._reason(str(error))) from error
        if result is None:
            raise TrainRunEnded(self._reason("its workers have ended"))
        return JobResult.model_validate_json(result)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        """End the run in order, without waiting for it."""
        self._started.wait()
        if self._mailbox is not None:
            self._mailbox.close.remote()

    def abort(self) -> None:
        """End the run and its workers at once.

        A controller that dies with its trial sees its workers die first and starts them anew in its last moment: their
        resources stay taken until somebody looks (`ban_ray.cluster.orphaned_groups`). Told before, it ends its workers
        and gives the resources back at once.
        """
        import ray

        self._started.wait(ABORT_TIMEOUT_S)
        if self._mailbox is not None and self.is_alive:
            # The actor answers by dying.
            with suppress(ray.exceptions.RayError):
                ray.get(self._mailbox.abort.remote(), timeout=ABORT_TIMEOUT_S)

    def _fit(self, trainer: Any) -> None:
        from ray import exceptions, train

        try:
            trainer.fit()
        except (train.TrainingFailedError, exceptions.RayError, RuntimeError, OSError, ValueError) as error:
            self._error = f"{type(error).__name__}: {error}"
        finally:
            self._started.set()

    def _on_start(self, controller: Any) -> None:
        self._mailbox = controller
        self._started.set()

    def _reason(self, otherwise: str) -> str:
        self._thread.join(ABORT_TIMEOUT_S)
        return " ".join((self._error or otherwise).split())

    def _make_trainer(self, folder: str) -> Any:
        # Nodes that others started do not have our environment.
        os.environ.update({key: os.environ.get(key, value) for key, value in WORKER_ENVIRONMENT.items()})
        _propagate_ray_address()
        from ray import train

        group = self.group
        base, backend = _trainer_class(group)
        resources: dict[str, float] = {"CPU": group.cpus_per_worker}
        if group.gpus_per_worker:
            resources["GPU"] = group.gpus_per_worker
        malloc = {key: os.environ.get(key, value) for key, value in MALLOC_ENVIRONMENT.items()}
        return ray_internals.trainer_with_controller(base, JobMailbox, self.name, self._on_start)(
            train_loop_per_worker,
            train_loop_config={"mailbox": self.name},
            scaling_config=train.ScalingConfig(
                num_workers=group.workers,
                use_gpu=group.gpus_per_worker > 0,
                resources_per_worker=resources,
            ),
            **backend,
            run_config=train.RunConfig(
                name=self.name,
                storage_path=folder,
                worker_runtime_env={"env_vars": malloc},
                callbacks=[ray_internals.worker_naming_callback(self.name)],
            ),
        )


def _trainer_class(group: WorkerGroup) -> tuple[type[Any], dict[str, Any]]:
    """Ray Train's trainer for PyTorch; for one worker, which joins no process group, the general one."""
    if group.workers == 1:
        return ray_internals.data_parallel_trainer(), {}
    from ray.train.torch import TorchConfig, TorchTrainer

    return TorchTrainer, {"torch_config": TorchConfig(backend="nccl" if group.gpus_per_worker else "gloo")}


def _propagate_ray_address() -> None:
    """Tell Train's helpers which cluster is theirs.

    The helper that frees the resources of a stopped trial asks the dashboard whether the trial lives. Where several
    clusters run on a machine it finds no dashboard without this, and the worker group's CPUs stay taken.
    """
    import ray

    os.environ["RAY_ADDRESS"] = ray.get_runtime_context().gcs_address
    ray_internals.propagate_to_train("RAY_ADDRESS")
