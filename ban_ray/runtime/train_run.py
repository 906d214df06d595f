"""A Ray Train run whose worker group trains job after job."""

import asyncio
import os
import secrets
import threading
from typing import Any

from ban_ray.cluster import WORKER_ENVIRONMENT, WorkerResources, ray_internals
from ban_ray.runtime.events import EventHandler, event_from_result
from ban_ray.runtime.mailbox_client import MailboxClient
from ban_ray.runtime.malloc import MALLOC_ENVIRONMENT
from ban_ray.runtime.messages import JobResult, TrainingJob
from ban_ray.runtime.worker_loop import train_loop_per_worker

ERROR_TIMEOUT_S = 10.0
"""Seconds to wait for the reason why a run has ended."""

ABORT_TIMEOUT_S = 3.0


class TrainRunEnded(Exception):
    """The Ray Train run ended while it trained a job; the message says why."""


class TrainRun:
    """A Ray Train run, started when it is made; its control loop is a thread of this process.

    Args:
        execution_name: also the name of its `JobBroker`.
        folder: for Train's own files, reachable from every node.

    Attributes:
        name: name of the run and of its mailbox, shown on the dashboard.
        resources: the workers' resources.
    """

    def __init__(self, resources: WorkerResources, *, execution_name: str, folder: str) -> None:
        self.name, self.resources = f"{execution_name}-{secrets.token_hex(4)}", resources
        self._error = ""
        try:
            self._execution_name, self._mailbox = execution_name, MailboxClient(execution_name, self.name)
        except ValueError as error:
            raise TrainRunEnded(f"the search's broker has ended: {error}") from error
        self._controller = ray_internals.InProcessController()
        trainer = self._make_trainer(folder)
        self._thread = threading.Thread(target=self._fit, args=(trainer,), name="Ray Train", daemon=True)
        self._thread.start()

    def train(self, job: TrainingJob, on_event: EventHandler, *, name: str) -> JobResult:
        """Train a job; its events are handled in this thread.

        Args:
            name: name of the job on the dashboard's page of tasks.

        Raises:
            TrainRunEnded: a worker has died, or the run could not be started.
        """
        import ray

        try:
            text = job.model_dump_json(exclude_defaults=True)
            answer = self._mailbox.call_async("submit_and_wait", job.job_id, text, task_name=name)
            while results := self._mailbox.call("next_events", job.job_id):
                for event_result in results:
                    if (event := event_from_result(event_result)) is not None:
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
        """End the run after its current job; does not wait for that."""
        self._mailbox.call_async("close")

    def abort(self) -> None:
        """End the run and its workers at once; waits a little, since this process may be about to end."""
        self._controller.abort()
        self.close()
        self._thread.join(ABORT_TIMEOUT_S)

    def _fit(self, trainer: Any) -> None:
        try:
            trainer.fit()
        except asyncio.CancelledError:
            self._error = "aborted"
        except Exception as error:  # noqa: BLE001
            # `TrainRunEnded` reports it.
            self._error = f"{type(error).__name__}: {error}"
        finally:
            self.close()

    def _reason(self, default: str) -> str:
        self._thread.join(ERROR_TIMEOUT_S)
        return " ".join((self._error or default).split())

    def _make_trainer(self, folder: str) -> Any:
        # Nodes of a cluster that others started lack this environment.
        os.environ.update({key: os.environ.get(key, value) for key, value in WORKER_ENVIRONMENT.items()})
        from ray import train

        resources = self.resources
        base, backend = _trainer_class(resources)
        worker_resources: dict[str, float] = {"CPU": resources.cpus_per_worker}
        if resources.gpus_per_worker:
            worker_resources["GPU"] = resources.gpus_per_worker
        malloc = {key: os.environ.get(key, value) for key, value in MALLOC_ENVIRONMENT.items()}
        trainer_class = self._controller.trainer_class(base, cluster_may_grow=resources.cluster_may_grow)
        return trainer_class(
            train_loop_per_worker,
            train_loop_config={
                "execution_name": self._execution_name,
                "mailbox_name": self.name,
                "gpus": resources.gpus_per_worker,
            },
            scaling_config=train.ScalingConfig(
                num_workers=resources.workers,
                use_gpu=resources.gpus_per_worker > 0,
                resources_per_worker=worker_resources,
            ),
            **backend,
            run_config=train.RunConfig(
                name=self.name,
                storage_path=folder,
                worker_runtime_env={"env_vars": malloc},
                callbacks=[ray_internals.worker_patching_callback(self.name)],
            ),
        )


def _trainer_class(resources: WorkerResources) -> tuple[type[Any], dict[str, Any]]:
    """Ray Train's trainer for PyTorch; for a single worker, which needs no process group, the general trainer."""
    if resources.workers == 1:
        return ray_internals.data_parallel_trainer(), {}
    from ray.train.torch import TorchConfig, TorchTrainer

    return TorchTrainer, {"torch_config": TorchConfig(backend="nccl" if resources.gpus_per_worker else "gloo")}
