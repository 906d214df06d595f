"""Every configuration of a list, or of parameters with listed values, in order."""

from ban_ray.search.samplers.base import Sampler, register


@register
class Grid(Sampler):
    """Proposes every configuration once."""

    name = "grid"
    is_exhaustive = True
