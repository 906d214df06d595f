"""Networks by name; families are the files of `ban_ray.networks.families`, and parsing imports no torch."""

import pkgutil
import re
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from ban_ray.errors import UserError
from ban_ray.networks import families
from ban_ray.networks.architecture import FAMILIES, Architecture
from ban_ray.tasks.catalog import task_type

if TYPE_CHECKING:
    from ban_ray.specs import Generation


def load_families() -> None:
    """Import all files of families, so that they register themselves."""
    for module in pkgutil.iter_modules(families.__path__):
        import_module(f"{families.__name__}.{module.name}")
    FAMILIES.sort(key=lambda family: (family.external, family.reads == "text", family.FORM))


load_families()


def forms() -> list[str]:
    """The forms that a name may have, for messages."""
    return [family.FORM for family in FAMILIES]


def parse(name: str, arguments: Mapping[str, object] | None = None) -> Architecture:
    """The architecture of a name.

    Args:
        name: of one of the families' forms; whole numbers up to 9999, ratios as decimals.
        arguments: of a builder outside this package; the networks of this package take none.

    Raises:
        UserError: a name of no known form, numbers out of range, or arguments that the network does not take.
    """
    for family in FAMILIES:
        if match := re.fullmatch(family.PATTERN, name):
            architecture = family.from_groups(*match.groups())
            return architecture.with_arguments(arguments) if arguments else architecture
    if ":" in name:
        external = ", ".join(family.FORM for family in FAMILIES if family.external)
        raise UserError(f"unknown network {name!r}; with a colon, {external} are allowed")
    raise UserError(
        f"unknown network {name!r}; allowed are {', '.join(forms())}, where DEPTH, GROWTH, WIDTH, LAYERS and UNITS "
        "are whole numbers up to 9999 and RIN, ROUT, RATIO, COMPRESSION and DROPOUT decimals such as 0.5"
    )


def architecture_of(generation: "Generation") -> Architecture:
    """The architecture of a generation's network, with its arguments; raises what `parse` does."""
    return parse(generation.network, generation.network_arguments)


def check_fits(architecture: Architecture, task: str) -> None:
    """Raises UserError: the network reads images and the task is one of text, or the other way round.

    Where only its builder knows what a network reads, it may be used for any task.
    """
    samples = "text" if task_type(task).unrolls else "images"
    if architecture.reads not in (samples, None):
        readers = [family.FORM for family in FAMILIES if family.reads == samples and not family.external]
        raise UserError(
            f"network {architecture.name} reads {architecture.reads}, which task {task} does not have; "
            f"{', '.join(readers)} are allowed"
        )
