"""Checks that members of the user's own networks have the shapes that their code builds today."""

from collections.abc import Iterable

from ban_ray.errors import DamagedMember, UserError
from ban_ray.networks import registry
from ban_ray.networks.families.custom import CustomNetwork
from ban_ray.population import Population
from ban_ray.specs import Generation
from ban_ray.tasks.task_type import DataSet


def check_stored_shapes(generations: Iterable[Generation], population: Population, dataset: DataSet) -> None:
    """Compare names and shapes of the members' weights with those that the user's code builds today.

    Raises:
        UserError: they differ, for example since a version was pinned and the code has changed.
    """
    shapes: dict[CustomNetwork, dict[str, tuple[int, ...]]] = {}
    for generation in generations:
        network = registry.architecture_of(generation)
        if not isinstance(network, CustomNetwork):
            continue
        try:
            member = population.get(generation.key)
            stored = None if member is None else population.shapes(member)
        except DamagedMember:
            # Reading its weights raises the error.
            continue
        if stored is None:
            continue
        if network not in shapes:
            # Torch is imported only for the user's own networks.
            from ban_ray.networks.inspection import state_shapes

            shapes[network] = state_shapes(network, dataset.num_classes, dataset.in_channels)
        today = shapes[network]
        if stored != today:
            name = next(name for name in (*today, *stored) if stored.get(name) != today.get(name))
            raise UserError(
                f"network {network.name} is not the one that member {generation.key[:12]} of the same version was "
                f"trained with: {name[:100]} is {stored.get(name, 'missing')} there and "
                f"{today.get(name, 'missing')} here; another network needs another --network-version"
            )
