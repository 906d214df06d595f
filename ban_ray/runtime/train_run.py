"""A Ray Train run: a worker group trains a chain's missing generations in order."""

import os
import time
from typing import TYPE_CHECKING, Any

from ban_ray.cluster import WORKER_ENVIRONMENT, WorkerGroup
from ban_ray.errors import PeerLost
from ban_ray.runtime import controller
from ban_ray.runtime.malloc import MALLOC_ENVIRONMENT
from ban_ray.runtime.messages import JobResult, TrainingJob
from ban_ray.runtime.report_channel import ReportFunction, ReportServer

if TYPE_CHECKING:
    import torch

MAX_WORKER_DEATHS = 8
"""Restarts of a worker group after the death of a process; each goes on from the newest checkpoint."""

REPORT_EVERY_S = 1.0
"""Epochs shorter than this are not all reported: a report costs several processes some milliseconds. Histories hold
every epoch whatever was reported."""


def run_job(job: TrainingJob, group: WorkerGroup, report: ReportFunction, *, name: str, folder: str) -> JobResult:
    """Run an order on a worker group.

    Args:
        report: given the workers' records, from another thread while this one waits.
        name: of the Train run, readable on the dashboard.
        folder: for Train's own files, reachable from every node.

    Returns:
        How it ended; where workers kept dying, a failure with the last error.
    """
    # Nodes that others started do not have our environment.
    os.environ.update({key: os.environ.get(key, value) for key, value in WORKER_ENVIRONMENT.items()})
    _propagate_ray_address()
    from ray import train

    from ban_ray.runtime.train_callbacks import ForwardReports, RegisterController

    base, backend = _trainer_class(group)

    class Trainer(base):  # type: ignore[misc, valid-type]
        """Without the actor that hands out Ray Data sets, of which there are none: a process less for each chain."""

        def _create_default_callbacks(self) -> list[Any]:
            callbacks = super()._create_default_callbacks()
            return [callback for callback in callbacks if type(callback).__name__ != "DatasetsCallback"]

    resources: dict[str, float] = {"CPU": group.cpus_per_worker}
    if group.gpus_per_worker:
        resources["GPU"] = group.gpus_per_worker

    def trainer(address: str) -> Trainer:
        return Trainer(
            train_loop_per_worker,
            train_loop_config={"order": job.model_dump_json(exclude_defaults=True)},
            scaling_config=train.ScalingConfig(
                num_workers=group.workers,
                use_gpu=group.gpus_per_worker > 0,
                resources_per_worker=resources,
            ),
            **backend,
            run_config=train.RunConfig(
                name=name,
                storage_path=folder,
                failure_config=train.FailureConfig(max_failures=MAX_WORKER_DEATHS),
                worker_runtime_env={
                    "env_vars": {key: os.environ.get(key, value) for key, value in MALLOC_ENVIRONMENT.items()}
                },
                callbacks=[ForwardReports(address), RegisterController(address, f"{job.execution} {name}")],
            ),
        )

    def received(record: dict[str, Any]) -> None:
        if controller.CONTROLLER_FIELD in record:
            controller.register(record[controller.CONTROLLER_FIELD])
        else:
            report(record)

    try:
        with ReportServer(received) as inbox:
            return JobResult.model_validate(trainer(inbox.address).fit().return_value)
    except train.TrainingFailedError as error:
        text = " ".join(str(error).split())
        sentence = f"its workers failed {MAX_WORKER_DEATHS + 1} times, the last time with: {text[-500:]}"
        return JobResult(status="failed", key=job.generations[0].key, message=sentence)
    finally:
        controller.clear()


def _trainer_class(group: WorkerGroup) -> tuple[type[Any], dict[str, Any]]:
    """Ray Train's trainer for PyTorch; for one worker, which joins no process group, the general one.

    That one's controller, a process of each chain's own, does not import PyTorch: 2 to 3 s.
    """
    if group.workers == 1:
        from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

        return DataParallelTrainer, {}
    from ray.train.torch import TorchConfig, TorchTrainer

    return TorchTrainer, {"torch_config": TorchConfig(backend="nccl" if group.gpus_per_worker else "gloo")}


def _propagate_ray_address() -> None:
    """Tell Train's helpers which cluster is theirs.

    The one that frees the resources of a stopped trial asks the dashboard whether the trial lives. Where several
    clusters run on a machine it finds no dashboard without this, and the worker group's CPUs stay taken.
    """
    import ray
    from ray.train.v2._internal import constants

    os.environ["RAY_ADDRESS"] = ray.get_runtime_context().gcs_address
    constants.ENV_VARS_TO_PROPAGATE.add("RAY_ADDRESS")


def train_loop_per_worker(config: dict[str, Any]) -> dict[str, Any]:
    from ray import train
    from ray.train.torch import get_device
    from torch.cuda import set_device

    from ban_ray.runtime.worker import train_generations

    job = TrainingJob.model_validate_json(config["order"])
    device = get_device()
    if device.type == "cuda":
        # Of one worker nobody else does it.
        set_device(device)
    return train_generations(job, device, _throttled(_classify_ray_errors(train.report), device)).model_dump()


def _classify_ray_errors(report: ReportFunction) -> ReportFunction:
    """With Ray's own errors told apart from those of a training: Train's helpers may die with another node."""
    from ray.exceptions import RayError

    def telling(record: dict[str, Any]) -> None:
        try:
            report(record)
        except RayError as error:
            raise PeerLost(str(error)) from error

    return telling


def _throttled(report: ReportFunction, device: "torch.device") -> ReportFunction:
    """Every publication, every member taken, every epoch that chains are compared after, and the others at most once
    in `REPORT_EVERY_S`; a report is all workers' or none's."""
    from ban_ray.training import distributed as group

    def always(record: dict[str, Any]) -> bool:
        return "published" in record or "taken" in record or ("rung" in record and record["rung"] == record["epoch"])

    last = -REPORT_EVERY_S

    def sparing(record: dict[str, Any]) -> None:
        nonlocal last
        due = group.rank() == 0 and (always(record) or time.monotonic() - last >= REPORT_EVERY_S)
        if group.all_reduce_any(due, device):
            last = time.monotonic()
            report(record)

    return sparing
