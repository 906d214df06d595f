"""The publication of a network that was trained elsewhere, with its predictions."""

import platform
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

import torch
from pydantic import JsonValue

from ban_ray import __version__
from ban_ray.errors import UserError
from ban_ray.networks.building import build_for, load_into
from ban_ray.networks.registry import parse
from ban_ray.networks.source_version import chosen_version
from ban_ray.population.commands.weights import read_weights
from ban_ray.population.decoding import Predictions
from ban_ray.population.imported import Imported, ImportedGeneration
from ban_ray.population.member import Member
from ban_ray.population.population import Population
from ban_ray.population.publishing import publish, weights_file
from ban_ray.specs import Task
from ban_ray.tasks.catalog import TASK_TYPES
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from ban_ray.training.evaluation import evaluate


def import_network(
    population: Population,
    path: Path,
    source: Source,
    network: str,
    arguments: dict[str, JsonValue],
    *,
    network_version: str | None,
    protocol: str | None,
    split_seed: int,
) -> tuple[Member, bool]:
    """Publish a network's weights with its predictions, and return the member and whether it is new.

    Args:
        network_version: None for the one of the builder's code.
        protocol: None where the samples that the network was trained on are not known.

    Raises:
        UserError: the file holds no weights of this network, they predict numbers that are not finite, or the version
            has no effect.
    """
    architecture = parse(network, arguments or None)
    name = architecture.name
    version = chosen_version(architecture, network_version)
    dataset = open_source(source)
    task = Task(
        name=source.name,
        fingerprint=dataset.fingerprint,
        split_seed=split_seed,
        protocol="search" if protocol == "search" else "paper",
        tokens=source.tokens or "word",
    )
    TASK_TYPES[task.name].sizes(task, dataset)
    data = TASK_TYPES[task.name].to_device(task, dataset, torch.device("cpu"))
    module = build_for(data, network, arguments or None)
    load_into(module, read_weights(path), str(path), name)
    weights = {key: tensor.detach().contiguous().numpy() for key, tensor in module.state_dict().items()}
    generation = ImportedGeneration(
        task=task,
        network=name,
        network_arguments=arguments,
        network_version=version,
        imported=Imported(weights=weights_file(weights).sha256, split_declared=protocol is not None),
    )
    outputs = [evaluate(module, data, part, generation.recipe) for part in (data.held_out, data.test)]
    if not all(bool(torch.isfinite(output).all()) for output in outputs):
        raise UserError(f"{path} makes {name} predict numbers that are not finite")
    is_new = generation.key not in population
    member = publish(
        population,
        generation,
        weights=weights,
        predictions=Predictions(
            held_out=data.to_stored(outputs[0]),
            held_out_labels=data.held_out.labels.numpy(),
            test=data.to_stored(outputs[1]),
            test_labels=data.test.labels.numpy(),
        ),
        history=[],
        teachers={},
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        provenance={
            "imported_from": path.name,
            "training_split": "unknown" if protocol is None else "declared by the user",
            "num_classes": data.num_classes,
            **({"class_names": list(data.class_names)} if data.class_names else {}),
            "in_channels": data.in_channels,
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {"ban_ray": __version__, "torch": torch.__version__, "python": platform.python_version()},
            "host": platform.node(),
            "source": source.model_dump(mode="json", exclude_defaults=True),
            "command": shlex.join(["python", "-m", "ban_ray.population", *sys.argv[1:]]),
        },
    )
    return member, is_new
