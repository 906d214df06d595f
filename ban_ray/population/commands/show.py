"""``show``: print the record and the lineage of one member."""

import json

import click

from ban_ray.cli.console import Console
from ban_ray.cli.text import format_bytes
from ban_ray.population.commands.common import SHORT, open_population, storage_option
from ban_ray.population.imported import ImportedGeneration
from ban_ray.population.lineage import Ancestor, lineage
from ban_ray.population.member import Member
from ban_ray.tasks.catalog import metric_of

_LINEAGE = ("key", "network", "objective", "taught by", "test", "")


@click.command(short_help="Show all that is known of a member.")
@click.argument("key")
@storage_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(key: str, storage: str, as_json: bool) -> None:
    """Show a member's spec, lineage, metrics and provenance; KEY may be the first digits of a key."""
    population = open_population(storage)
    member = population[population.find_key(key)]
    line = lineage(population, member)
    if as_json:
        record = json.loads(member.to_bytes())
        ancestors = [{"key": ancestor.key, "note": ancestor.note} for ancestor in line]
        click.echo(json.dumps({"record": record, "lineage": ancestors}))
        return
    console = Console()
    for heading, lines in (
        ("spec", _spec(member)),
        ("metrics", _metrics(member)),
        ("files", [(file.kind, f"{file.name}, {format_bytes(file.size)}") for file in member.files]),
        ("provenance", _flat(member.provenance)),
    ):
        console.say(heading, "bold")
        console.key_values(lines)
    console.say("lineage, from the root", "bold")
    console.table(_LINEAGE, [_ancestor(ancestor) for ancestor in line], text=[c for c in _LINEAGE if c != "test"])


def _ancestor(ancestor: Ancestor) -> tuple[str, ...]:
    member = ancestor.member
    if member is None:
        return ancestor.key[:SHORT], "", "", "", "", ancestor.note
    return (
        member.key[:SHORT],
        member.generation.network,
        member.objective,
        ", ".join(teacher[:SHORT] for teacher in member.generation.teachers),
        metric_of(member.generation.task).format_member(member),
        ancestor.note,
    )


def _spec(member: Member) -> list[tuple[str, str]]:
    spec = member.generation
    fields = spec.model_dump(mode="json", exclude={"recipe", "objective", "teachers"}, exclude_defaults=True)
    if member.protocol == "unknown":
        fields["task"]["protocol"] = member.protocol
    lines = [("key", member.key), *_flat(fields)]
    if not isinstance(spec, ImportedGeneration):
        lines += [("objective", str(spec.objective)), *_flat(spec.recipe.told_fields(), "recipe.")]
    return [*lines, ("parameters", f"{member.parameters:,}")]


def _metrics(member: Member) -> list[tuple[str, str]]:
    metrics, metric = member.metrics, metric_of(member.generation.task)
    lines = [
        (f"test {metric.name}", metric.format_member(member)),
        ("test log-likelihood", f"{metrics.test_log_likelihood:.4f} nats"),
    ]
    if metrics.held_out_error is None or metrics.held_out_log_likelihood is None:
        return [*lines, ("held-out", "none was kept out of training")]
    return [
        *lines,
        (f"held-out {metric.name}", metric.format_member(member, "held_out")),
        ("held-out log-likelihood", f"{metrics.held_out_log_likelihood:.4f} nats"),
    ]


def _flat(values: object, prefix: str = "") -> list[tuple[str, str]]:
    """Nested records as lines of ``a.b`` and a value."""
    if isinstance(values, dict):
        return [line for name, value in values.items() for line in _flat(value, f"{prefix}{name}.")]
    return [(prefix.rstrip("."), str(values))]
