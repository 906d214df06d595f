"""The networks of the papers, one family a file; `names` parses their names without torch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ban_ray.networks.building import build

__all__ = ["build"]


def __getattr__(name: str) -> Any:
    """`build`, imported when it is asked for, so that parsing a name loads no torch."""
    if name == "build":
        from ban_ray.networks.building import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
