"""``import``: a network that was trained elsewhere becomes a member that can teach."""

import json
import platform
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import JsonValue

from ban_ray import __version__
from ban_ray.errors import UserError
from ban_ray.population.commands.common import clean, console, percent, storage_option
from ban_ray.population.imported import Imported, ImportedGeneration
from ban_ray.population.member import Member
from ban_ray.population.publish import publish, weights_file
from ban_ray.population.read import Population, Predictions
from ban_ray.population.storage import absolute, open_storage
from ban_ray.specs import Task
from ban_ray.tasks.source import Source

if TYPE_CHECKING:
    from torch import Tensor


def _arguments(_: click.Context, __: click.Parameter, text: str | None) -> dict[str, JsonValue]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise click.BadParameter(f'{text!r} is no JSON object such as {{"width": 32}}')
    return value


@click.command("import")
@click.argument("weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="WEIGHTS")
@storage_option
@click.option("--network", required=True, metavar="NAME", help="As in `python -m ban_ray.networks`.")
@click.option("--network-args", callback=_arguments, metavar="JSON", help="Arguments of package.module:function.")
@click.option("--network-version", default="", help="Your own mark for a builder whose code changes.")
@click.option("--task", "task_name", required=True, metavar="NAME", help="What it classifies: digits, cifar10, ...")
@click.option("--data", metavar="DIR", help="Folder with the task's files.")
@click.option("--label-column", help="Column of the labels in Parquet files.")
@click.option("--image-size", metavar="N|HxW", help="Pixels that a folder's images are brought to.")
@click.option("--protocol", type=click.Choice(["search", "paper"]), help="What it was trained on; see below.")
@click.option("--split-seed", type=click.IntRange(0), metavar="N", help="Of the split it was trained on.")
def import_command(
    weights: Path,
    storage: str,
    network: str,
    network_args: dict[str, JsonValue],
    network_version: str,
    task_name: str,
    data: str | None,
    label_column: str | None,
    image_size: str | None,
    protocol: str | None,
    split_seed: int | None,
) -> None:
    """Make a member of WEIGHTS, a safetensors file or a state dict saved by torch.

    Images reach the network with mean 0 and standard deviation 1 in each channel over the training part.

    Say what it was trained on: `--protocol search --split-seed N` for the training part of that split alone, so that
    its held-out error counts; `--protocol paper` for all training images. Without --protocol this is taken as
    unknown, and the network never teaches where held-out samples count.
    """
    if (split_seed is None) != (protocol != "search"):
        raise UserError(
            "--protocol search and --split-seed N are needed together: they say which samples the network was "
            "trained on"
        )
    source = Source.of(task_name, data, label_column, image_size)
    population = Population(open_storage(absolute(storage)))
    member, is_new = import_network(
        population,
        weights,
        source,
        network,
        network_args,
        network_version=network_version,
        protocol=protocol,
        split_seed=split_seed or 0,
    )
    out = console()
    metrics = member.metrics
    held_out = "" if metrics.held_out_error is None else f", held-out error {percent(metrics.held_out_error)} %"
    out.print(f"{'imported' if is_new else 'is in the population already:'} {member.key}", soft_wrap=True)
    out.print(f"{clean(network)} on {task_name}: test error {percent(metrics.test_error)} %{held_out}", soft_wrap=True)


def import_network(
    population: Population,
    path: Path,
    source: Source,
    network: str,
    arguments: dict[str, JsonValue],
    *,
    network_version: str,
    protocol: str | None,
    split_seed: int,
) -> tuple[Member, bool]:
    """Publish a network's weights with its predictions; and whether they were new.

    Args:
        protocol: None where it is not known what the network was trained on.

    Raises:
        UserError: the file holds no weights of this network, or they predict no numbers.
    """
    import torch

    from ban_ray.networks import build
    from ban_ray.networks.names import parse
    from ban_ray.population.commands.weights import load_into, read_weights
    from ban_ray.tasks.images import load_images
    from ban_ray.tasks.load import open_source
    from ban_ray.training.evaluation import log_probabilities

    name = parse(network, arguments or None).name
    given = read_weights(path)
    decoded = open_source(source)
    task = Task(name=source.name, fingerprint=decoded.fingerprint, split_seed=split_seed, protocol=_protocol(protocol))
    images = load_images(task, decoded, torch.device("cpu"))
    module = build(network, images.num_classes, images.in_channels, arguments or None)
    load_into(module, given, path, name)
    kept = {key: _array(tensor) for key, tensor in module.state_dict().items()}
    generation = ImportedGeneration(
        task=task,
        network=name,
        network_arguments=arguments,
        network_version=network_version,
        imported=Imported(weights=weights_file(kept).sha256, split_declared=protocol is not None),
    )
    outputs = [log_probabilities(module, images, part, generation.recipe) for part in (images.held_out, images.test)]
    if not all(bool(torch.isfinite(output).all()) for output in outputs):
        raise UserError(f"{path} makes {name} predict what are no finite numbers")
    is_new = generation.key not in population
    member = publish(
        population,
        generation,
        weights=kept,
        predictions=Predictions(
            held_out=outputs[0].numpy(),
            held_out_labels=images.held_out.labels.numpy(),
            test=outputs[1].numpy(),
            test_labels=images.test.labels.numpy(),
        ),
        history=[],
        teachers={},
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        provenance={
            "imported_from": path.name,
            "training_split": "unknown" if protocol is None else "declared by the user",
            "num_classes": images.num_classes,
            "in_channels": images.in_channels,
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {"ban_ray": __version__, "torch": torch.__version__, "python": platform.python_version()},
            "host": platform.node(),
            "source": source.model_dump(mode="json", exclude_defaults=True),
            "command": shlex.join(["python", "-m", "ban_ray.population", *sys.argv[1:]]),
        },
    )
    return member, is_new


def _protocol(protocol: str | None) -> Any:
    return "search" if protocol == "search" else "paper"


def _array(tensor: "Tensor") -> Any:
    return tensor.detach().contiguous().numpy()
