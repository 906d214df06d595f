"""Networks of the papers and the user's own; `registry` parses their names without torch, `build` makes modules."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ban_ray.networks.building import build
    from ban_ray.networks.loading import load_into

__all__ = ["build", "load_into"]

_MODULES = {"build": "building", "load_into": "loading"}


def __getattr__(name: str) -> Any:
    """The functions above, imported at their first use, so that parsing a name does not import torch."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
