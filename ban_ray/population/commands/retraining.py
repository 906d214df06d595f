"""The repetition of a member's training in processes of this machine, without Ray, in a temporary storage."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.multiprocessing.spawn import ProcessException, spawn

from ban_ray.errors import UserError
from ban_ray.population.initial_weights import stored
from ban_ray.population.layout import member_folder, record_file
from ban_ray.population.member import Member
from ban_ray.population.population import Population
from ban_ray.runtime.events import EpochEnded, Event
from ban_ray.runtime.messages import ExecutionContext, JobResult, TrainingJob
from ban_ray.runtime.worker import JobTrainer
from ban_ray.storage.local import LocalStorage
from ban_ray.tasks.source import Source

_TIMES = ("seconds", "images_per_second", "teacher_outputs_found")
_COMPARED = ("versions", "hardware", "threads")


@dataclass(frozen=True)
class BitComparison:
    """Whether weights and predictions have the same bits, and a line for each difference."""

    same: bool
    lines: list[str]


@contextmanager
def train_again(
    population: Population, member: Member, source: Source, progress: Callable[[int, int], None]
) -> Iterator[tuple[Population, Member]]:
    """The population of the repetition, which exists as long as the context, and its member.

    Args:
        progress: called with the epoch, from 1, and the number of epochs.

    Raises:
        UserError: the training failed.
    """
    threads, recorded = member.provenance.get("threads"), member.provenance.get("execution_options")
    options = recorded if isinstance(recorded, dict) else {}
    with tempfile.TemporaryDirectory(prefix="ban_ray-replay-") as folder:
        repeated = Population(LocalStorage(Path(folder)))
        for teacher in member.generation.teachers:
            _copy(population, repeated, population[teacher])
        if (sha256 := member.generation.initial_weights) is not None:
            stored.save(repeated.storage, sha256, stored.read(population.storage, sha256))
        job = TrainingJob(
            context=ExecutionContext(
                storage=repeated.storage.url,
                data_source=source,
                execution_name="replay",
                cpus_per_worker=threads if isinstance(threads, int) and threads > 0 else 1,
                # Compiled networks have other bits.
                **{name: True for name in ("compile", "deterministic") if options.get(name) is True},
            ),
            generations=(member.generation,),
            first_generation_number=0,
            chain_seed=0,
            job_id="replay",
        )
        result = _train(job, member, Path(folder), progress)
        if result.status != "done":
            raise UserError(f"the replay failed: {result.message}")
        yield repeated, repeated[member.key]


def compare(population: Population, member: Member, repeated: Population, trained: Member) -> BitComparison:
    """Compare a member with the repetition of its training."""
    lines: list[str] = []
    same = True
    for kind, old, new in (
        ("weights", population.weights(member), repeated.weights(trained)),
        ("predictions", population.predictions(member).arrays(), repeated.predictions(trained).arrays()),
    ):
        different = _different(old, new)
        if different:
            same = False
            lines.append(f"{kind}: {different}")
    if _without_times(population, member) != _without_times(repeated, trained):
        lines.append("history: other numbers in columns that do not measure time")
    for name in _COMPARED:
        lines += _changes(name, member.provenance.get(name), trained.provenance.get(name))
    return BitComparison(same, lines)


def _train(job: TrainingJob, member: Member, folder: Path, progress: Callable[[int, int], None]) -> JobResult:
    hardware = member.provenance.get("hardware")
    on_gpu = isinstance(hardware, dict) and hardware.get("device") == "cuda" and torch.cuda.is_available()
    workers = member.generation.recipe.workers
    if workers == 1:

        def report(event: Event) -> None:
            if isinstance(event, EpochEnded):
                progress(event.epoch, event.epochs)

        return JobTrainer(torch.device("cuda" if on_gpu else "cpu"), report).train(job)
    text = job.model_dump_json(exclude_defaults=True)
    try:
        spawn(_work_in_group, args=(workers, on_gpu, text, str(folder)), nprocs=workers)  # type: ignore[no-untyped-call]
    except ProcessException as error:
        lines = str(error).strip().splitlines() or ["no reason is known"]
        raise UserError(f"the replay failed in a worker: {lines[-1]}") from error
    return JobResult.model_validate_json((folder / "result.json").read_bytes())


def _work_in_group(rank: int, workers: int, on_gpu: bool, job: str, folder: str) -> None:
    """A worker of a group that meets at a file; rank 0 writes the result beside it."""
    torch.distributed.init_process_group(
        "nccl" if on_gpu else "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=workers
    )
    device = torch.device("cuda", rank % torch.cuda.device_count()) if on_gpu else torch.device("cpu")
    result = JobTrainer(device, lambda _: None).train(TrainingJob.model_validate_json(job))
    if rank == 0:
        (Path(folder) / "result.json").write_text(result.model_dump_json())
    torch.distributed.destroy_process_group()


def _copy(population: Population, target: Population, member: Member) -> None:
    for file in member.files:
        target.storage.write(f"{member_folder(member.key)}/{file.name}", population.file(member, file))
    target.storage.create(record_file(member.key), member.to_bytes())


def _different(old: Mapping[str, NDArray[Any]], new: Mapping[str, NDArray[Any]]) -> str:
    """What differs between arrays by name; empty where no bit does."""
    if old.keys() != new.keys() or any(old[name].shape != new[name].shape for name in old):
        return "other names or shapes"
    names = [name for name in old if old[name].tobytes() != new[name].tobytes()]
    if not names:
        return ""
    largest = max(float(np.abs(old[name].astype(np.float64) - new[name].astype(np.float64)).max()) for name in names)
    return f"{len(names)} of {len(old)} arrays differ, such as {names[0]}, by up to {largest:.3g}"


def _without_times(population: Population, member: Member) -> list[dict[str, float | int | None]]:
    return [
        {name: value for name, value in record.items() if name not in _TIMES} for record in population.history(member)
    ]


def _changes(name: str, old: object, new: object) -> list[str]:
    """Lines on what differs between two values of a provenance."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [line for key in sorted(old | new) for line in _changes(f"{name}.{key}", old.get(key), new.get(key))]
    return [] if old == new else [f"provenance: {name} was {old} and is {new}"]
