"""``python -m ban_ray.search``: search born-again chains."""

import shlex
import signal
import sys
from types import FrameType
from typing import Any

import click
import cloup

from ban_ray.cli.params import options_of, validated
from ban_ray.errors import ClusterLost, DamagedMember, UserError, storage_sentence
from ban_ray.search.config.options import SearchOptions

EXIT_BAD_INPUT = 2
EXIT_CHAINS_FAILED = 3
EXIT_STORAGE = 4
EXIT_CLUSTER = 5
EXIT_INTERRUPTED = 130


@cloup.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@cloup.option("--list", "list_spaces", is_flag=True, help="List the search spaces and exit.")
@options_of(SearchOptions)
def main(list_spaces: bool, **given: Any) -> None:
    """Search chains of born-again networks: a teacher on labels, then generation after generation of students."""
    try:
        if list_spaces:
            _list()
            return
        if given["space"] is None:
            raise UserError("--space is missing; --list names the spaces")
        options = validated(
            SearchOptions, given | {"command": shlex.join(["python", "-m", "ban_ray.search", *sys.argv[1:]])}
        )
        from ban_ray.search.search import search

        result = search(options)
        sys.exit(EXIT_CHAINS_FAILED if result is not None and result.failed else 0)
    except UserError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_BAD_INPUT)
    except DamagedMember as error:
        click.echo(f"Error: {error.advice}; the same command then trains it again", err=True)
        sys.exit(EXIT_STORAGE)
    except OSError as error:
        click.echo(f"Error: {storage_sentence(error)}", err=True)
        sys.exit(EXIT_STORAGE)
    except ClusterLost as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_CLUSTER)
    except KeyboardInterrupt:
        click.echo("Interrupted; what was published stays, and the same command goes on from here.", err=True)
        sys.exit(EXIT_INTERRUPTED)


def _list() -> None:
    from ban_ray.search.config import spaces

    width = max(map(len, spaces.names()))
    for name in spaces.names():
        click.echo(f"{name:<{width}}  {spaces.load(name).title}")


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    main(prog_name="python -m ban_ray.search")
