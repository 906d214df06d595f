"""``import``: publish a network that was trained elsewhere as a member that can teach."""

from pathlib import Path

import click

from ban_ray.cli.console import Console
from ban_ray.cli.params import json_object
from ban_ray.errors import UserError
from ban_ray.population.commands.common import storage_option
from ban_ray.population.population import Population
from ban_ray.storage.opening import absolute, open_storage
from ban_ray.tasks.catalog import metric_of
from ban_ray.tasks.source import Source


@click.command("import", short_help="Make a member of your own weights.")
@click.argument("weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="WEIGHTS")
@storage_option
@click.option("--network", required=True, metavar="NAME", help="As in `python -m ban_ray.networks`.")
@click.option("--network-args", metavar="JSON", help="Arguments of module:function, timm:NAME or torchvision:NAME.")
@click.option("--network-version", metavar="TEXT", help="Your mark of the builder's version; else its code's digest.")
@click.option("--task", "task_name", required=True, metavar="NAME", help="What it classifies: digits, cifar10, ...")
@click.option("--data", metavar="DIR", help="Folder with the task's files.")
@click.option("--label-column", help="Column of the labels in Parquet files.")
@click.option("--image-size", metavar="N|HxW", help="Pixels that a folder's images are brought to.")
@click.option("--skip-bad", is_flag=True, help="Leave out images that cannot be decoded.")
@click.option("--tokens", type=click.Choice(["word", "char"]), help="How --task text is read.")
@click.option("--protocol", type=click.Choice(["search", "paper"]), help="What it was trained on; see above.")
@click.option("--split-seed", type=click.IntRange(0), metavar="N", help="Of the split it was trained on.")
def import_command(
    weights: Path,
    storage: str,
    network: str,
    network_args: str | None,
    network_version: str | None,
    task_name: str,
    data: str | None,
    label_column: str | None,
    image_size: str | None,
    skip_bad: bool,
    tokens: str | None,
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
    source = Source.of(task_name, data, label_column, image_size, tokens=tokens, skip_bad=skip_bad)
    # Here, so that help and misspelt options do not wait for torch.
    from ban_ray.population.commands.import_network import import_network

    population = Population(open_storage(absolute(storage)))
    member, is_new = import_network(
        population,
        weights,
        source,
        network,
        json_object("--network-args", network_args),
        network_version=network_version,
        protocol=protocol,
        split_seed=split_seed or 0,
    )
    console = Console()
    metric = metric_of(member.generation.task)
    held_out = f", held-out {metric.name} {error}" if (error := metric.format_member(member, "held_out")) else ""
    console.say(f"{'imported' if is_new else 'is in the population already:'} {member.key}", wrap=False)
    console.say(f"{network} on {task_name}: test {metric.name} {metric.format_member(member)}{held_out}")
