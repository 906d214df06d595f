"""The trainer of jobs in each worker of a group: the generations of a job, one after the other."""

import gc
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from ban_ray.networks.building import build_for, load_into
from ban_ray.population import Population, checkpoints, claims, failures
from ban_ray.runtime.events import EpochEnded, EventHandler, Published, Reused
from ban_ray.runtime.messages import JobResult, TrainingJob
from ban_ray.runtime.worker.admission import Admission, admit
from ban_ray.runtime.worker.checkpointer import AsyncCheckpointer
from ban_ray.runtime.worker.error_classification import classify_error, is_full_disk, is_lost_peer
from ban_ray.runtime.worker.publishing import publish_trained
from ban_ray.runtime.worker.stop_signal import JobStopped, StopSignal
from ban_ray.runtime.worker.teacher_cache import teacher_output_cache
from ban_ray.specs import Generation, Task
from ban_ray.storage.opening import find_storage
from ban_ray.storage.retrying import PATIENCE_S
from ban_ray.tasks.catalog import TASK_TYPES
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from ban_ray.tasks.task_data import TaskData
from ban_ray.training import State, Teacher, distributed, train
from ban_ray.training.checkpoint import from_bytes
from ban_ray.training.precision import to_device

_log = logging.getLogger(__name__)


@dataclass
class JobTrainer:
    """Trains jobs in the process of one worker; the data of a task stay loaded from job to job.

    Args:
        report: called on rank 0 with an event after each epoch, each publication and each reused member.
        stop_signal: checked at each stop point between two steps.
    """

    device: torch.device
    report: EventHandler
    stop_signal: StopSignal = field(default_factory=StopSignal)
    _loaded: tuple[Task, Source, TaskData] | None = None

    def train(self, job: TrainingJob) -> JobResult:
        """Train each generation of a job, or reuse it from the population."""
        torch.set_num_threads(job.context.cpus_per_worker)
        population = Population(find_storage(job.context.storage, patience_s=PATIENCE_S))
        self.stop_signal.begin_job(job.job_id)
        try:
            for number, generation in enumerate(job.generations, job.first_generation_number):
                self.stop_signal.pass_stop_point()
                result = self._train_generation(population, number, generation, job)
                if result is not None:
                    return result
            return JobResult(status="done")
        except JobStopped:
            return JobResult(status="stopped")
        finally:
            self.stop_signal.end_job()
            # The next network needs the memory of this one.
            gc.collect()
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _train_generation(
        self, population: Population, number: int, generation: Generation, job: TrainingJob
    ) -> JobResult | None:
        """Train or reuse one generation; returns a result if the job ends with it."""
        claim: claims.Claim | None = None
        admission: Admission | None = None
        if distributed.rank() == 0:
            try:
                admission, claim = admit(population, generation, job)
            except OSError as error:
                if not is_full_disk(error):
                    raise
                admission = Admission(action="failed", message=classify_error(error, generation)[1])
        admission = cast(Admission, distributed.broadcast(admission))
        if admission.action == "reused":
            if distributed.rank() == 0:
                self.report(_reused_event(population, number, generation))
            return None
        if admission.action != "train":
            return JobResult(status=admission.action, key=generation.key, message=admission.message)
        try:
            data = self._load_data(generation.task, job.context.data_source)
            with teacher_output_cache(population, generation, admission, data, job, self.device) as cached_outputs:
                with AsyncCheckpointer(population.storage, generation.key, job.job_id) as checkpointer:
                    trained = train(
                        generation,
                        _build_teacher(admission.teachers, data, self.device),
                        data,
                        self.device,
                        initial_weights=admission.initial_weights,
                        table=cached_outputs,
                        options=job.context,
                        state=from_bytes(admission.checkpoint) if admission.checkpoint else None,
                        after_epoch=_make_after_epoch(checkpointer, number, generation, self.report),
                        before_step=self.stop_signal.pass_stop_point,
                    )
                if distributed.rank() == 0:
                    member = publish_trained(population, generation, number, trained, data, admission, job, self.device)
                    checkpoints.clear(population.storage, generation.key)
                    if claim is not None:
                        claim.end()
                        claim = None
                    self.report(
                        Published(
                            generation=number,
                            key=generation.key,
                            epochs=generation.recipe.trained_epochs,
                            metrics=member.metrics.model_dump(),
                        )
                    )
        except JobStopped:
            raise
        except Exception as error:
            if is_lost_peer(error):
                raise
            reason, sentence = classify_error(error, generation)
            if reason != "unusable":
                _log.exception("generation %s (%s)", generation.key, generation.network)
            # Every worker of a group meets a non-finite loss; any other error may be one worker's alone.
            on_all_workers = reason == "non-finite" or distributed.world_size() == 1
            if distributed.rank() == 0 or not on_all_workers:
                _record_failure(population, generation, reason, sentence, job)
            if distributed.rank() == 0 and reason == "non-finite":
                checkpoints.clear(population.storage, generation.key)
            if not on_all_workers or (self.device.type == "cuda" and reason in ("error", "out-of-memory")):
                # The others wait in a collective call, or a GPU's context may be broken for the next chain: only
                # ending this process helps, and the restarted group reads the record of the failure.
                raise
            return JobResult(status="failed", key=generation.key, message=sentence)
        finally:
            if claim is not None:
                # A claim that cannot be released expires.
                with suppress(OSError):
                    claim.release()
        return None

    def _load_data(self, task: Task, source: Source) -> TaskData:
        """The data of a task on the device; those of the last task are kept."""
        if self._loaded is None or self._loaded[:2] != (task, source):
            self._loaded = None
            data = TASK_TYPES[task.name].to_device(task, open_source(source, task.fingerprint), self.device)
            self._loaded = task, source, data
        return self._loaded[2]


def _reused_event(population: Population, number: int, generation: Generation) -> Reused:
    metrics = population[generation.key].metrics
    return Reused(generation=number, key=generation.key, metrics=metrics.model_dump())


def _make_after_epoch(
    checkpointer: AsyncCheckpointer, number: int, generation: Generation, report: EventHandler
) -> Callable[[State], None]:
    recipe = generation.recipe

    def after_epoch(state: State) -> None:
        if distributed.rank() != 0:
            return
        # After the last epoch comes publication, which is a checkpoint of its own.
        if state["epoch"] < recipe.trained_epochs:
            if state["epoch"] == recipe.drop_rung_epoch:
                # A chain that is pruned at its rung may resume from there later.
                checkpointer.save_and_wait(state)
            else:
                checkpointer.save_if_due(state)
        report(
            EpochEnded(
                generation=number,
                key=generation.key,
                epochs=recipe.trained_epochs,
                drop_rung_epoch=recipe.drop_rung_epoch,
                metrics=state["history"][-1],
            )
        )

    return after_epoch


def _build_teacher(
    specs: tuple[tuple[Generation, dict[str, Tensor]], ...], data: TaskData, device: torch.device
) -> Teacher | None:
    networks: dict[str, nn.Module] = {}
    for key, (generation, weights) in {generation.key: (generation, weights) for generation, weights in specs}.items():
        name, arguments = generation.network, generation.network_arguments or None
        network = build_for(data, name, arguments, version=generation.network_version)
        load_into(network, weights, f"teacher {generation.key[:12]}", name)
        networks[key] = network
    return to_device(Teacher([networks[generation.key] for generation, _ in specs]), device) if networks else None


def _record_failure(
    population: Population, generation: Generation, reason: failures.FailureReason, sentence: str, job: TrainingJob
) -> None:
    try:
        failures.record(population.storage, generation.key, reason, sentence, job.context.execution_name)
    except OSError:
        # A full disk refuses this record as well; the sentence still reaches this search.
        if reason != "storage":
            raise
