"""The only file here that calls the packages' functions by name; the tests beside it go through commands and files.

Fabricated members are functions of their key alone: hashed bytes instead of random numbers, which may change between
versions of NumPy.
"""

import hashlib
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray

from ban_ray.cli.params import validated
from ban_ray.cluster import WorkerResources
from ban_ray.evaluation.predictions import TokenOutputs
from ban_ray.networks import registry
from ban_ray.networks.families.custom import CustomNetwork
from ban_ray.networks.inspection import state_shapes
from ban_ray.population import Population, Predictions, publish
from ban_ray.runtime.events import EpochEnded, EventHandler, Published
from ban_ray.runtime.messages import JobResult, TrainingJob
from ban_ray.runtime.worker import teacher_cache
from ban_ray.runtime.worker.admission import Admission
from ban_ray.search.__main__ import main
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import SearchSpec
from ban_ray.search.plan import cost, step_benchmark
from ban_ray.search.search import search
from ban_ray.search.study.records import load_decisions
from ban_ray.search.teachers.chosen_once import select_teachers
from ban_ray.specs import Generation
from ban_ray.specs.parameters import Configuration
from ban_ray.storage.opening import find_storage, open_storage
from ban_ray.tasks import opening
from ban_ray.tasks.catalog import TASK_TYPES
from ban_ray.tasks.source import Source

HELD_OUT, TEST = 60, 100
"""Samples of fabricated predictions."""


def teacher_outputs_identity(generation: Generation, device: str) -> str:
    """The digest that names the kept outputs of a generation's teachers, on a fixed machine."""
    admission = Admission(action="train", teacher_digests={key: key[::-1] for key in generation.teachers})
    with (
        patch.object(torch, "__version__", "2.9.0"),
        patch.object(torch, "get_num_threads", lambda: 3),
        patch.object(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2"),
        patch.object(torch.backends.cudnn, "version", lambda: 91_002),
        patch.object(torch.cuda, "get_device_name", lambda _: "NVIDIA A100"),
        patch.object(teacher_cache, "cpu_model", lambda: "a processor"),
        patch.dict(os.environ, {"ONEDNN_MAX_CPU_ISA": "AVX2"}),
    ):
        for name in ("MKL_CBWR", "NVIDIA_TF32_OVERRIDE"):
            os.environ.pop(name, None)
        return teacher_cache._cache_key(generation, admission, torch.device(device))


class FixedFile(PurePosixPath):
    """A file whose size, time of change and number are always the same."""

    def stat(self) -> Any:
        return SimpleNamespace(st_size=1234, st_mtime_ns=1_700_000_000_123_456_789, st_ino=99)


class UnreadableFile(PurePosixPath):
    """A file that may not be looked at."""

    def stat(self) -> Any:
        raise PermissionError(str(self))


def decoded_data_identity(source: dict[str, Any], files: Sequence[Any]) -> str:
    """The digest under which the cache remembers what these files were decoded to."""
    return opening._identity(Source.model_validate(source), files)


@contextmanager
def steps_measured_here() -> Iterator[None]:
    """Plans measure a step in this process: as exact in what does not depend on the machine, and in a tenth of the
    time."""
    with patch.object(cost, "_measure_in_process", step_benchmark.measure_step):
        yield


def fabricate(
    storage: Path,
    arguments: Sequence[str],
    configurations: Sequence[Configuration] = (),
    only: Collection[str] | None = None,
) -> None:
    """Publish the members of a search of ``python -m ban_ray.search ARGUMENTS``, without training them.

    Args:
        configurations: of a sampled search, which has no list of its own.
        only: keys of those to publish; by default all.
    """
    population = Population(open_storage(str(storage)))
    request = _request(_choices(arguments), population)
    if request.teacher_decisions.is_per_configuration:
        (search_name,) = (folder.parent.name for folder in storage.glob("searches/*/chains"))
        load_decisions(request, population, search_name)
    sampled = [planned for configuration in configurations for planned in request.chains_of(configuration)]
    waiting = [planned.chain for planned in sampled or request.chains]
    while waiting:
        taught = (chain for chain in waiting if all(key in population for key in chain.generations[0].teachers))
        waiting.remove(chain := next(taught))
        for number, generation in enumerate(chain.generations):
            if generation.key not in population and (only is None or generation.key in only):
                decoded = request.dataset
                _publish(population, generation, number, chain.seed, decoded.num_classes, decoded.in_channels)


def fabricated_search(arguments: Sequence[str]) -> None:
    """Run a search in which members are fabricated instead of trained; a chain at a time, so that it can be run
    again."""
    search(_choices([*arguments, "--concurrent", "1", "--json"]), runner=Fabricator())


class Fabricator:
    """Stands in for the training of a chain's generations."""

    def __call__(
        self, job: TrainingJob, resources: WorkerResources, on_event: EventHandler, *, name: str, folder: str
    ) -> JobResult:
        population = Population(find_storage(job.context.storage))
        for number, generation in enumerate(job.generations, job.first_generation_number):
            key, rung, epochs = generation.key, generation.recipe.drop_rung_epoch, generation.recipe.epochs
            for record in _history(generation):
                on_event(EpochEnded(generation=number, key=key, epochs=epochs, drop_rung_epoch=rung, metrics=record))
            member = _publish(population, generation, number, job.chain_seed, 10, 1)
            values = member.metrics.model_dump()
            on_event(Published(generation=number, key=key, epochs=epochs, metrics=values))
        return JobResult(status="done")


def _choices(arguments: Sequence[str]) -> SearchOptions:
    given = main.make_context("search", list(arguments)).params
    del given["list_spaces"], given["config"]
    return validated(SearchOptions, given)


def _request(choices: SearchOptions, population: Population) -> SearchSpec:
    request = resolve(choices)
    if not request.teacher_decisions.takes_members or request.teacher_decisions.is_per_configuration:
        return request
    return request.with_teachers(
        select_teachers(population, "none", request.teacher_decisions.policy, request.context.task, write=False)
    )


def _publish(
    population: Population, generation: Generation, number: int, chain_seed: int, classes: int, channels: int
) -> Any:
    network = registry.architecture_of(generation)
    # The shapes of a network of one's own are compared with what it builds.
    shapes = state_shapes(network, classes, channels) if isinstance(network, CustomNetwork) else {"weight": (3,)}
    return publish(
        population,
        generation,
        weights={name: _chance(generation.key, "weights", shape).astype(np.float32) for name, shape in shapes.items()},
        predictions=_predictions(generation, classes),
        history=_history(generation),
        teachers={key: population[key].weights.sha256 for key in generation.teachers},
        parameters=network.parameters(classes, channels),
        provenance={
            "chain_seed": chain_seed,
            "generation_number": number,
            "seconds": 2.5,
            "device_seconds": 2.5,
            "images_seen": 300 * generation.recipe.epochs,
            "multiply_accumulates": 1_000_000,
            "finished_at": "2026-01-01T00:00:00+00:00",
            "versions": {"torch": "2.9.0"},
            "hardware": {"device": "cpu", "name": "a processor"},
            "threads": 1,
            "command": "python -m ban_ray.search",
        },
    )


def _predictions(generation: Generation, classes: int) -> Predictions:
    text = TASK_TYPES[generation.task.name].unrolls
    counts = (HELD_OUT if text or generation.task.protocol == "search" else 0, TEST)
    outputs = [_outputs(generation.key, part, n, classes) for part, n in zip(("held-out", "test"), counts, strict=True)]
    labels = [np.arange(n, dtype=np.int64) % classes for n in counts]
    if text:
        return Predictions(_of_tokens(outputs[0], labels[0]), labels[0], _of_tokens(outputs[1], labels[1]), labels[1])
    return Predictions(outputs[0], labels[0], outputs[1], labels[1])


def _of_tokens(outputs: NDArray[np.float32], labels: NDArray[np.int64]) -> TokenOutputs:
    return TokenOutputs(outputs[np.arange(len(labels)), labels], outputs.argmax(1), outputs.max(1))


def _outputs(key: str, part: str, count: int, classes: int) -> NDArray[np.float32]:
    """(count, classes) log-probabilities that are right on most samples, sample n being of class n."""
    logits = 3 * _chance(key, part, (count, classes))
    logits[np.arange(count), np.arange(count) % classes] += 1.5
    return np.asarray(logits - np.log(np.exp(logits).sum(1, keepdims=True)), dtype=np.float32)


def _history(generation: Generation) -> list[dict[str, float | int | None]]:
    """Records of the first epoch, of the one after which chains are compared, and of the last."""
    recipe = generation.recipe
    epochs = sorted({1, recipe.drop_rung_epoch or 1, recipe.epochs})
    taught, held_out = bool(generation.teachers), generation.task.protocol == "search"
    return [
        {
            "epoch": epoch,
            "learning_rate": 0.1,
            "loss": 2.0 / epoch,
            "label_loss": 2.0 / epoch,
            "teacher_loss": 1.0 / epoch if taught else None,
            "train_error": 60.0 / epoch,
            "teacher_error": 5.0 if taught else None,
            "teacher_confidence": 0.9 if taught else None,
            "teacher_entropy": 0.3 if taught else None,
            "held_out_error": 50.0 * chance if held_out else None,
            "held_out_log_likelihood": -1.0 - chance if held_out else None,
            "images_per_second": 1000.0,
            "seconds": 0.5,
        }
        for epoch, chance in zip(epochs, _chance(generation.key, "history", (len(epochs),)).tolist(), strict=True)
    ]


def _chance(key: str, purpose: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Numbers from 0 to 1 that look random."""
    size = int(np.prod(shape))
    data = hashlib.shake_256(f"{key} {purpose}".encode()).digest(4 * size)
    return (np.frombuffer(data, "<u4") / 2**32).reshape(shape)
