"""Networks of the papers and the user's own; `registry` parses their names without torch, `build` makes modules."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ban_ray.networks.building import build, load_into

__all__ = ["build", "load_into"]


def __getattr__(name: str) -> Any:
    """The functions above, imported at their first use, so that parsing a name does not import torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ban_ray.networks import building

    return getattr(building, name)
