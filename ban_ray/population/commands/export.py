"""``export``: write a member into a folder that can be given away."""

from pathlib import Path

import click

from ban_ray.cli.console import Console
from ban_ray.errors import UserError
from ban_ray.evaluation.predictions import Outputs, classes_of
from ban_ray.networks.registry import architecture_of
from ban_ray.population.commands.common import open_population, storage_option
from ban_ray.population.commands.export_card import CARD, LOADER, RECORD_COPY, WEIGHTS, card, loader
from ban_ray.population.lineage import lineage
from ban_ray.population.member import Member
from ban_ray.tasks.catalog import task_type
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from ban_ray.tasks.task_type import InputDescription


@click.command(short_help="Write a member into a folder.")
@click.argument("key")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@storage_option
def export(key: str, folder: Path, storage: str) -> None:
    """Write a member's weights, a card and a loader into DIR, which must be new or empty."""
    population = open_population(storage)
    member = population[population.find_key(key)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UserError(f"{folder} is not empty; a new or empty folder is needed")
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error.strerror or error}") from error
    data = population.file(member, member.weights)
    inputs = _inputs(member, population.predictions(member).test)
    (folder / WEIGHTS).write_bytes(data)
    (folder / RECORD_COPY).write_bytes(member.to_bytes())
    for name, text in inputs.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / LOADER).write_text(loader(member, inputs), encoding="utf-8")
    (folder / CARD).write_text(card(member, lineage(population, member), inputs), encoding="utf-8")
    Console().say(f"exported {member.key} to {folder}; {folder / LOADER} loads it", wrap=False)


def _inputs(member: Member, outputs: Outputs) -> InputDescription:
    """A description of the network's inputs, from its data where they can be read, else from its record."""
    task, recorded = member.generation.task, member.provenance
    kind = task_type(task.name)
    try:
        source = Source.model_validate(recorded.get("source")).model_copy(update={"download": False})
        if source.name == task.name:
            dataset = open_source(source, task.fingerprint)
            kind.sizes(task, dataset)
            return kind.describe_inputs(task, dataset, dataset.num_classes, dataset.in_channels)
    except (UserError, OSError, ValueError):
        # The data may be on another machine; the card says what is not known for that.
        pass
    num_classes = recorded.get("num_classes")
    classes = classes_of(outputs) or (num_classes if isinstance(num_classes, int) else 0)
    if not classes:
        raise UserError(f"member {member.key}: the size of its vocabulary is not known")
    return kind.describe_inputs(task, None, classes, _channels(member, classes))


def _channels(member: Member, classes: int) -> int:
    recorded = member.provenance.get("in_channels")
    if isinstance(recorded, int):
        return recorded
    spec = member.generation
    architecture = architecture_of(spec)
    for channels in (3, 1, 2, 4):
        if architecture.parameters(classes, channels) == member.parameters:
            return channels
    raise UserError(f"the number of channels of {spec.network[:100]}'s images is not known")
