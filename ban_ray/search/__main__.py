"""``python -m ban_ray.search``: search born-again chains."""

import shlex
import sys
from typing import Any

import click
import cloup
from click.core import ParameterSource

from ban_ray.cli.entry import EXIT_CHAINS_FAILED, EXIT_STORAGE, reports_errors, run
from ban_ray.cli.params import options_of, validated
from ban_ray.errors import UserError
from ban_ray.search.config.options import SearchOptions


@reports_errors(
    storage_status=EXIT_STORAGE, resume="what was published stays, and the same command continues from there"
)
@cloup.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@cloup.option("--list", "list_spaces", is_flag=True, help="List the search spaces and exit.")
@cloup.option("--config", metavar="FILE.toml", help="File with options by their names; the command line wins.")
@options_of(SearchOptions)
def main(list_spaces: bool, config: str | None, **given: Any) -> None:
    """Search chains of born-again networks: a network trained on labels, then generations of students."""
    if list_spaces:
        from ban_ray.search.config import spaces

        width = max(map(len, spaces.names()))
        for name in spaces.names():
            click.echo(f"{name:<{width}}  {spaces.load(name).title}")
        return
    if config is not None:
        from ban_ray.search.options_file import merge_options_file

        source_of = click.get_current_context().get_parameter_source
        given = merge_options_file(
            config, {name: value for name, value in given.items() if source_of(name) == ParameterSource.COMMANDLINE}
        )
    if given.get("space") is None:
        raise UserError("--space is missing; --list names the spaces")
    command = shlex.join(["python", "-m", "ban_ray.search", *sys.argv[1:]])
    options = validated(SearchOptions, given | {"command": command})
    from ban_ray.search.search import search

    result = search(options)
    sys.exit(EXIT_CHAINS_FAILED if result is not None and result.failures else 0)


if __name__ == "__main__":
    run(main, "ban_ray.search")
