"""The confirmation of what costs much or cannot be undone."""

import sys

import click

from ban_ray.errors import UserError


def confirm(question: str, *, without_terminal: str, declined: str, stderr: bool = False) -> None:
    """Ask on the terminal, and return if the answer is ``yes``.

    Args:
        without_terminal, declined: error messages without a terminal, and for another answer.
        stderr: ask on stderr, where a program reads stdout.

    Raises:
        UserError: the answer is not yes, or there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise UserError(without_terminal)
    click.echo(f"{question} Type yes to go on: ", nl=False, err=stderr)
    if sys.stdin.readline().strip().lower() != "yes":
        raise UserError(declined)
