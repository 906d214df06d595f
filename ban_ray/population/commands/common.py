"""The storage option of all commands, and the opening of its population."""

import click

from ban_ray.population.population import Population
from ban_ray.storage.opening import absolute, find_storage

SHORT = 12
"""Digits of a key that are printed in tables."""

storage_option = click.option(
    "--storage",
    default="./ban_runs",
    show_default=True,
    metavar="DIR|URL",
    help="Where the population is: a folder, s3://bucket/folder, gs://... or az://...",
)


def open_population(storage: str) -> Population:
    """The population of a storage that exists.

    Raises:
        UserError: there is none.
    """
    return Population(find_storage(absolute(storage)))
