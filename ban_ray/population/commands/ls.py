"""``ls``: list the members of a population."""

import json
from datetime import datetime
from fnmatch import fnmatchcase

import click

from ban_ray.cli.console import Console
from ban_ray.cli.text import pluralised
from ban_ray.population.commands.common import SHORT, open_population, storage_option
from ban_ray.population.imported import ImportedGeneration
from ban_ray.population.index import catalogue
from ban_ray.population.member import Member
from ban_ray.tasks.catalog import metric_of

_COLUMNS = ("key", "task", "network", "objective", "generation", "parameters", "held-out", "test", "finished")
_TEXT = ("key", "task", "network", "objective", "finished")


@click.command("ls")
@storage_option
@click.option("--network", metavar="PATTERN", help="Only networks of this name; * and ? stand for any letters.")
@click.option("--task", metavar="NAME", help="Only members of this task.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def ls(storage: str, network: str | None, task: str | None, as_json: bool) -> None:
    """List the members."""
    population = open_population(storage)
    listed = catalogue(population)
    members = [
        member
        for member in listed.members
        if (network is None or fnmatchcase(member.generation.network, network))
        and (task is None or member.generation.task.name == task)
    ]
    if as_json:
        click.echo(json.dumps([_record(member) for member in members]))
    else:
        Console().table(_COLUMNS, [_row(member) for member in members], _TEXT)
        Console(stderr=True).say(f"{pluralised(len(members), 'member')} in {population.storage.url}", wrap=False)
    if listed.damaged:
        Console(stderr=True).say(f"{pluralised(len(listed.damaged), 'damaged record')}; verify names them")


def _row(member: Member) -> tuple[str, ...]:
    generation, number = member.generation, member.provenance.get("generation_number")
    metric = metric_of(generation.task)
    return (
        member.key[:SHORT],
        generation.task.name,
        generation.network,
        member.objective,
        str(number) if isinstance(number, int) else "",
        f"{member.parameters:,}",
        metric.format_member(member, "held_out"),
        metric.format_member(member),
        _minute(member.provenance.get("finished_at")),
    )


def _minute(value: object) -> str:
    """A recorded time as ``2026-01-31 12:00``, empty where it is none."""
    try:
        return datetime.fromisoformat(str(value)).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return ""


def _record(member: Member) -> dict[str, object]:
    generation = member.generation
    return {
        "key": member.key,
        "task": generation.task.name,
        "network": generation.network,
        "objective": member.objective,
        "seed": generation.seed,
        "teachers": list(generation.teachers),
        "imported": isinstance(generation, ImportedGeneration),
        "parameters": member.parameters,
        **member.metrics.model_dump(),
        "bytes": sum(file.size for file in member.files),
        "finished_at": member.provenance.get("finished_at"),
    }
