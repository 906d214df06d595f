"""``rm`` and ``gc``: delete members, and files that nothing needs."""

import json
from dataclasses import asdict

import click

from ban_ray.cli.console import Console, confirm
from ban_ray.cli.text import format_bytes, pluralised, printable
from ban_ray.errors import UserError
from ban_ray.population.checkpoints import clear
from ban_ray.population.commands.common import SHORT, open_population, storage_option
from ban_ray.population.layout import member_folder, output_folder, record_file
from ban_ray.population.lineage import taught_by
from ban_ray.population.maintenance.garbage import ABANDONED_S, find_garbage

_DAY_S = 86_400.0


@click.command()
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@storage_option
@click.option("--force", is_flag=True, help="Also remove members that other members were taught by.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rm(keys: tuple[str, ...], storage: str, force: bool, yes: bool) -> None:
    """Remove members for good."""
    population = open_population(storage)
    chosen = list(dict.fromkeys(population.find_key(key) for key in keys))
    if not force:
        for teacher, students in taught_by(population, chosen).items():
            others = [student for student in students if student not in chosen]
            if others:
                raise UserError(
                    f"member {teacher[:SHORT]} taught {len(others)} others, such as {others[0][:SHORT]}, whose lineage "
                    "would be lost; --force removes it all the same"
                )
    if not yes:
        confirm(
            printable(f"Remove {pluralised(len(chosen), 'member')} from {population.storage.url}?"),
            without_terminal="rm asks before it removes; without a terminal to ask on, --yes is needed",
            declined="not confirmed; nothing was removed",
        )
    for key in chosen:
        # Without its record it is no member, whatever happens to the rest.
        population.storage.delete(record_file(key))
        population.storage.delete(member_folder(key))
        clear(population.storage, key)
        population.storage.delete(output_folder(key))
    Console().say(f"removed {pluralised(len(chosen), 'member')}")


@click.command(short_help="Delete what nothing needs.")
@storage_option
@click.option("--dry-run", is_flag=True, help="Only tell what would be deleted.")
@click.option(
    "--older-than",
    type=click.FloatRange(min=1),
    default=ABANDONED_S / _DAY_S,
    show_default=True,
    metavar="DAYS",
    help="Give up checkpoints that nobody went on from, and kept outputs of teachers, for so long.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def gc(storage: str, dry_run: bool, older_than: float, as_json: bool) -> None:
    """Delete abandoned checkpoints, old claims, old outputs of teachers, and files that no record names."""
    population = open_population(storage)
    garbage = []
    for item in find_garbage(population, abandoned_s=older_than * _DAY_S):
        if not dry_run:
            population.storage.delete(item.path)
        garbage.append(item)
    total = sum(item.size for item in garbage)
    if as_json:
        click.echo(json.dumps({"deleted": not dry_run, "bytes": total, "garbage": [asdict(item) for item in garbage]}))
        return
    console = Console()
    for item in garbage:
        console.say(f"{item.path} {item.why}, {format_bytes(item.size)}", wrap=False)
    console.say(f"{len(garbage)} {'to delete' if dry_run else 'deleted'}, {format_bytes(total)}")
