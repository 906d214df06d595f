"""``replay``: repeat the training of a member and compare the bits."""

import json

import click
from pydantic import ValidationError

from ban_ray.cli.console import Console
from ban_ray.errors import UserError
from ban_ray.networks.registry import architecture_of
from ban_ray.networks.source_version import require_version
from ban_ray.population.commands.common import SHORT, open_population, storage_option
from ban_ray.population.imported import ImportedGeneration
from ban_ray.population.member import Member
from ban_ray.population.population import Population
from ban_ray.tasks.source import Source


@click.command(short_help="Train a member again and compare bits.")
@click.argument("key")
@storage_option
@click.option("--data", metavar="DIR", help="Folder with the task's files, where they are not as recorded.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def replay(context: click.Context, key: str, storage: str, data: str | None, as_json: bool) -> None:
    """Train a member again from its spec, with the same teachers, and compare the bits; nothing is published.

    The exit status is 1 where weights or predictions differ.
    """
    population = open_population(storage)
    member = population[population.find_key(key)]
    source = _source(member, data)
    _check(population, member)
    from ban_ray.population.commands.retraining import compare, train_again

    err = Console(stderr=True)

    def progress(epoch: int, epochs: int) -> None:
        err.print(f"epoch {epoch} of {epochs}", end="\r" if err.is_terminal else "\n")

    with train_again(population, member, source, progress) as repeated:
        result = compare(population, member, *repeated)
    if as_json:
        click.echo(json.dumps({"key": member.key, "same_bits": result.same, "differences": result.lines}))
    else:
        console, bits = Console(), "the same bits" if result.same else "other bits"
        console.say(f"member {member.key[:SHORT]} trained again: {bits} of weights and predictions")
        for line in result.lines:
            console.say(f"  {line}", wrap=False)
    context.exit(0 if result.same else 1)


def _source(member: Member, data: str | None) -> Source:
    """The source of the member's data: as recorded, or the folder that was given."""
    recorded = member.provenance.get("source")
    try:
        source = Source.model_validate(recorded if recorded is not None else {"name": member.generation.task.name})
    except (ValidationError, UserError) as error:
        if data is None:
            reason = str(error).partition("\n")[0]
            raise UserError(
                f"member {member.key[:SHORT]}'s data cannot be found ({reason}); --data names them"
            ) from error
        source = None
    if data is not None:
        fields = source.model_dump(include={"label_column", "image_size", "tokens", "skip_bad"}) if source else {}
        return Source.of(member.generation.task.name, data, **fields)
    assert source is not None
    return source.model_copy(update={"download": False})


def _check(population: Population, member: Member) -> None:
    """Raises UserError: the training cannot be repeated."""
    if isinstance(member.generation, ImportedGeneration):
        raise UserError(
            f"member {member.key[:SHORT]} was imported; only members that were trained here can be replayed"
        )
    _require_code(member)
    for teacher, weights in member.teachers.items():
        present = population.get(teacher)
        if present is None:
            raise UserError(f"its teacher {teacher[:SHORT]} is not in the population, so it cannot be trained again")
        if present.weights.sha256 != weights:
            raise UserError(
                f"its teacher {teacher[:SHORT]} has other weights now than those that taught it, so it cannot be "
                "trained again as it was"
            )
        _require_code(present)


def _require_code(member: Member) -> None:
    spec = member.generation
    require_version(architecture_of(spec), spec.network_version)
