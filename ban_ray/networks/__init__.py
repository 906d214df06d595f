"""The networks of the papers, one family a file; `names` parses their names without torch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ban_ray.networks.building import build
    from ban_ray.networks.loading import load_into

__all__ = ["build", "load_into"]


def __getattr__(name: str) -> Any:
    """Both, imported when they are asked for, so that parsing a name loads no torch."""
    if name == "build":
        from ban_ray.networks.building import build

        return build
    if name == "load_into":
        from ban_ray.networks.loading import load_into

        return load_into
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
