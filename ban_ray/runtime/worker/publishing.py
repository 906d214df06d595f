"""Publication of a finished training, with its provenance."""

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from pydantic import JsonValue

from ban_ray import __version__
from ban_ray.errors import UserError
from ban_ray.networks.cost import multiply_accumulates
from ban_ray.population import Member, Population, Predictions, publish
from ban_ray.runtime.messages import TrainingJob
from ban_ray.runtime.worker.admission import Admission
from ban_ray.specs import Generation
from ban_ray.tasks.batches import steps_per_epoch
from ban_ray.tasks.task_data import TaskData
from ban_ray.training import TrainingResult
from ban_ray.training.execution import ExecutionOptions

_LIBRARIES = ("torchvision", "timm", "pillow", "ray")
"""Libraries whose versions are recorded: they initialise models, decode images, and run the workers."""


def publish_trained(
    population: Population,
    generation: Generation,
    generation_number: int,
    result: TrainingResult,
    data: TaskData,
    admission: Admission,
    job: TrainingJob,
    device: torch.device,
) -> Member:
    """Publish a trained generation; `generation_number` is its number within its chain, the baseline's is 0."""
    return publish(
        population,
        generation,
        weights={name: tensor.contiguous().numpy() for name, tensor in result.weights.items()},
        predictions=Predictions(
            held_out=data.to_stored(result.held_out),
            held_out_labels=data.held_out.labels.cpu().numpy(),
            test=data.to_stored(result.test),
            test_labels=data.test.labels.cpu().numpy(),
        ),
        history=result.history,
        teachers=admission.teacher_digests,
        parameters=result.parameters,
        provenance=_provenance(generation, generation_number, result, data, job, device),
    )


def _provenance(
    generation: Generation,
    generation_number: int,
    result: TrainingResult,
    data: TaskData,
    job: TrainingJob,
    device: torch.device,
) -> dict[str, JsonValue]:
    recipe = generation.recipe
    seconds = sum(float(record["seconds"] or 0) for record in result.history)
    return {
        "chain_seed": job.chain_seed,
        "generation_number": generation_number,
        "seconds": seconds,
        "device_seconds": seconds * recipe.workers,
        "resumed_after_epochs": list(result.resumed),
        "images_seen": recipe.trained_epochs
        * steps_per_epoch(data.task, len(data.train), recipe)
        * recipe.batch_size
        * recipe.unroll,
        "training_images": len(data.train),
        "held_out_images": len(data.held_out),
        "test_images": len(data.test),
        "num_classes": data.num_classes,
        **({"class_names": list(data.class_names)} if data.class_names else {}),
        "in_channels": data.in_channels,
        "multiply_accumulates": _multiply_accumulates(generation, data),
        "threads": job.context.cpus_per_worker,
        **({"execution_options": changed} if (changed := non_default_options(job.context)) else {}),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "ban_ray": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            **{name: version for name in _LIBRARIES if (version := _version(name))},
        },
        "hardware": {
            "device": device.type,
            "name": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_model(),
            "machine": platform.machine(),
            "cpus": os.cpu_count(),
        },
        "host": platform.node(),
        "source": job.context.data_source.model_dump(mode="json", exclude_defaults=True),
        "search": job.context.execution_name,
        "command": job.context.command,
        **(
            {"teacher_chosen": teacher}
            if (teacher := job.context.teacher_description) and not generation_number
            else {}
        ),
    }


def non_default_options(options: ExecutionOptions) -> dict[str, JsonValue]:
    """The options of an execution that are not at their defaults."""
    return options.model_dump(include=set(ExecutionOptions.model_fields), exclude_defaults=True)


def _multiply_accumulates(generation: Generation, data: TaskData) -> int | None:
    """Multiply-accumulates of one sample's forward pass; None for a network of the user that cannot be counted."""
    arguments = generation.network_arguments or None
    try:
        return multiply_accumulates(
            generation.network, data.num_classes, data.in_channels, data.sample_shape, arguments
        )
    except UserError:
        return None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def cpu_model() -> str:
    """The processor's model if the system reports it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())
