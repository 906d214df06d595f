"""``--pretrained``: a search whose generations start from given weights."""

from dataclasses import replace

from ban_ray.errors import UserError
from ban_ray.networks import registry
from ban_ray.networks.network_versions import NetworkVersions
from ban_ray.population import Population
from ban_ray.population.initial_weights.chosen import InitialWeights, choose
from ban_ray.search.config.spec import SearchSpec, with_grid_chains
from ban_ray.tasks.catalog import task_type


def with_initial_weights(
    spec: SearchSpec, pretrained: str, population: Population | None
) -> tuple[SearchSpec, InitialWeights]:
    """A search whose network starts from weights in every generation, and these weights; nothing is written.

    Images are normalised as the library's own weights need it, unless ``--set task.normalise`` says otherwise.

    Args:
        pretrained: the value of ``--pretrained``.
        population: None where the storage does not exist yet.

    Raises:
        UserError: the space takes no network, the network reads text, or what `choose` refuses.
    """
    option, context = f"--pretrained {pretrained!r}", spec.context
    network = context.network
    if network is None:
        raise UserError(f"{option} has no effect: space {spec.space.name} has its own networks")
    architecture = registry.parse(network.name, network.arguments or None)
    if architecture.reads == "text" or task_type(context.task.name).unrolls:
        raise UserError(f"{option} is for images; language models are trained from random weights")
    registry.check_fits(architecture, context.task.name)
    weights = choose(pretrained, architecture, context.task, spec.dataset, population)
    task = context.task
    if weights.normalise is not None and "task.normalise" not in spec.overrides.settings:
        task = task.model_copy(update={"normalise": weights.normalise})
    network = replace(network, initial_weights=weights.sha256)
    started = replace(
        spec, context=replace(context, network=network, task=task), network_versions=NetworkVersions(network)
    )
    if not started.is_sampled:
        started = with_grid_chains(started)
        every = [generation for planned in started.chains for generation in planned.chain.generations]
        if not any(generation.initial_weights for generation in every):
            raise UserError(f"{option} has no effect: no generation of space {spec.space.name} is of {network.name}")
    return started, weights
