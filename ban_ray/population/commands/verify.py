"""``verify``: check that every file is what was published."""

import json
from dataclasses import asdict
from functools import partial

import click
from rich.progress import Progress

from ban_ray.cli.console import Console
from ban_ray.cli.text import format_bytes, pluralised
from ban_ray.population.commands.common import open_population, storage_option
from ban_ray.population.maintenance.verify import quarantine, verify


@click.command("verify", short_help="Check every byte and every teacher.")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@storage_option
@click.option("--set-aside", "move", is_flag=True, help="Move damaged members to damaged/, to be trained again.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def verify_command(context: click.Context, keys: tuple[str, ...], storage: str, move: bool, as_json: bool) -> None:
    """Read every file of all members, or of those with the given KEYs, and report what is not as it was published.

    The exit status is 1 where something was found that was not set aside.
    """
    population = open_population(storage)
    chosen = [population.find_key(key) for key in keys] or None
    err = Console(stderr=True)
    with Progress(console=err, transient=True, disable=not err.is_terminal) as bar:
        report = verify(population, keys=chosen, progress=partial(bar.track, description="reading"))
    moved = {}
    if move:
        for key in dict.fromkeys(finding.key for finding in report.findings if finding.what == "damaged"):
            if (target := quarantine(population, key)) is not None:
                moved[key] = target
    remaining = [finding for finding in report.findings if not (finding.what == "damaged" and finding.key in moved)]
    if as_json:
        findings = [asdict(finding) for finding in report.findings]
        result = {"members": report.members, "bytes": report.bytes_read, "findings": findings, "set_aside": moved}
        click.echo(json.dumps(result))
    else:
        console = Console()
        for finding in report.findings:
            console.say(f"{finding.what}: {finding.sentence}", wrap=False)
        for target in moved.values():
            console.say(f"set aside as {target}; it is trained again when a search needs it", wrap=False)
        console.say(
            f"{pluralised(report.members, 'member')} read, {format_bytes(report.bytes_read)}, "
            f"{pluralised(len(report.findings), 'finding')}"
        )
    context.exit(1 if remaining else 0)
