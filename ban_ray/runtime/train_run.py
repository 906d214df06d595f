"""A Ray Train run: a worker group trains a chain's missing generations in order."""

import os
import time
from typing import TYPE_CHECKING, Any

from ban_ray.cluster import WORKER_ENVIRONMENT, WorkerGroup, ray_internals
from ban_ray.errors import PeerLost
from ban_ray.runtime import controller
from ban_ray.runtime.events import (
    EpochEnded,
    Event,
    EventHandler,
    Published,
    Reused,
    WorkerReport,
    from_record,
    to_record,
)
from ban_ray.runtime.malloc import MALLOC_ENVIRONMENT
from ban_ray.runtime.messages import JobResult, TrainingJob
from ban_ray.runtime.report_channel import ReportServer

if TYPE_CHECKING:
    import torch

MAX_WORKER_DEATHS = 8
"""Restarts of a worker group after the death of a process; each resumes from the newest checkpoint."""

REPORT_EVERY_S = 1.0
"""Epochs shorter than this are not all reported: a report costs several processes some milliseconds. Histories hold
every epoch whatever was reported."""


def run_job(job: TrainingJob, group: WorkerGroup, on_event: EventHandler, *, name: str, folder: str) -> JobResult:
    """Train a job's generations on a worker group.

    Args:
        on_event: called with the workers' events, from another thread while this one waits.
        name: name of the Train run, readable on the dashboard.
        folder: for Train's own files, reachable from every node.

    Returns:
        The workers' result; a failure with the last error where workers kept dying.
    """
    # Nodes that others started do not have our environment.
    os.environ.update({key: os.environ.get(key, value) for key, value in WORKER_ENVIRONMENT.items()})
    _propagate_ray_address()
    from ray import train

    from ban_ray.runtime.train_callbacks import ForwardReports

    base, backend = _trainer_class(group)
    trainer_class = ray_internals.trainer_with_controller(base, controller.register)
    resources: dict[str, float] = {"CPU": group.cpus_per_worker}
    if group.gpus_per_worker:
        resources["GPU"] = group.gpus_per_worker
    malloc = {key: os.environ.get(key, value) for key, value in MALLOC_ENVIRONMENT.items()}

    def forward(record: dict[str, Any]) -> None:
        if (event := from_record(record)) is not None:
            on_event(event)

    try:
        with ReportServer(forward) as server:
            trainer = trainer_class(
                train_loop_per_worker,
                train_loop_config={"job": job.model_dump_json(exclude_defaults=True)},
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
                    worker_runtime_env={"env_vars": malloc},
                    callbacks=[
                        ForwardReports(server.address),
                        ray_internals.worker_naming_callback(f"{job.context.execution} {name}"),
                    ],
                ),
            )
            return JobResult.model_validate(trainer.fit().return_value)
    except train.TrainingFailedError as error:
        text = " ".join(str(error).split())
        message = f"its workers failed {MAX_WORKER_DEATHS + 1} times, the last time with: {text[-500:]}"
        return JobResult(status="failed", key=job.generations[0].key, message=message)
    finally:
        controller.clear()


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


def train_loop_per_worker(config: dict[str, Any]) -> dict[str, Any]:
    """What each worker runs: the job's generations, with events reported to Ray Train."""
    from ray.train.torch import get_device
    from torch.cuda import set_device

    from ban_ray.runtime.worker import train_generations

    job = TrainingJob.model_validate_json(config["job"])
    device = get_device()
    if device.type == "cuda":
        # Of one worker nobody else does it.
        set_device(device)
    return train_generations(job, device, _throttled(_report, device)).model_dump()


def _report(event: Event | None) -> None:
    """Report to Ray Train, with Ray's own errors told apart from training's: its helpers may die with another node."""
    from ray import train
    from ray.exceptions import RayError

    try:
        train.report({} if event is None else to_record(event))
    except RayError as error:
        raise PeerLost(str(error)) from error


def _throttled(report: WorkerReport, device: "torch.device") -> WorkerReport:
    """Report every member and every epoch at a rung, and other epochs at most once in `REPORT_EVERY_S`.

    All workers report an event or none does.
    """
    from ban_ray.training import distributed

    last = -REPORT_EVERY_S

    def is_due(event: Event | None) -> bool:
        if isinstance(event, Published | Reused) or (isinstance(event, EpochEnded) and event.is_at_rung):
            return True
        return time.monotonic() - last >= REPORT_EVERY_S

    def throttled(event: Event | None) -> None:
        nonlocal last
        if distributed.all_reduce_any(distributed.rank() == 0 and is_due(event), device):
            last = time.monotonic()
            report(event)

    return throttled
