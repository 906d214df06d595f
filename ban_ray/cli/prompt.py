"""The question before what costs much or cannot be undone."""

import sys

import click

from ban_ray.errors import UserError


def confirm(question: str, *, without_terminal: str, declined: str, stderr: bool = False) -> None:
    """Ask on the terminal; only ``yes`` goes on.

    Args:
        without_terminal, declined: what is told where nobody can be asked, and where the answer is another.
        stderr: where the output proper is read by a program.

    Raises:
        UserError: the answer is not yes, or there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise UserError(without_terminal)
    click.echo(f"{question} Type yes to go on: ", nl=False, err=stderr)
    if sys.stdin.readline().strip().lower() != "yes":
        raise UserError(declined)
