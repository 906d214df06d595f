"""``python -m ban_ray.population``: look into a population, check it, add to it, take from it."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import click

from ban_ray.errors import DamagedMember, UserError
from ban_ray.population.commands.checking import verify_command
from ban_ray.population.commands.exporting import export
from ban_ray.population.commands.importing import import_command
from ban_ray.population.commands.listing import ls
from ban_ray.population.commands.removing import gc, rm
from ban_ray.population.commands.replaying import replay
from ban_ray.population.commands.showing import show

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Members of a population: trained generations that can teach."""


for command in (ls, show, verify_command, replay, import_command, export, rm, gc):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status: 2, after one sentence on stderr, for what cannot be used."""
    try:
        return int(cli(arguments, prog_name="python -m ban_ray.population", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
    except click.ClickException as error:
        click.echo(f"Error: {error.format_message()}", err=True)
    except (UserError, DamagedMember) as error:
        click.echo(f"Error: {error}", err=True)
    except BrokenPipeError:
        # Whoever read the output, such as head, has enough; Python would tell of it once more at its end.
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
        return 1
    except OSError as error:
        click.echo(f"Error: {error.filename or 'the storage'}: {error.strerror or error}", err=True)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return EXIT_INTERRUPTED
    return EXIT_BAD_INPUT


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(main())
