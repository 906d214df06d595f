"""Versions of the code of the user's own networks, and initial weights, filled into the chains of a search."""

from ban_ray.networks import registry
from ban_ray.networks.families.custom import CustomNetwork
from ban_ray.networks.source_version import source_version
from ban_ray.specs import Chain, Generation, Network, canonical_json


class NetworkVersions:
    """Computes the version of each network's code once, so that later edits do not change the keys of a search.

    Args:
        command_line_network: the network named on the command line, whose version is known, and whose initial weights
            every generation of it starts from.
    """

    def __init__(self, command_line_network: Network | None) -> None:
        self._command_line_network = command_line_network
        self._by_network: dict[bytes, str] = {}

    @property
    def known(self) -> tuple[str, ...]:
        """Versions computed so far: those of networks that the space names, not the command line."""
        return tuple(sorted(set(self._by_network.values())))

    def fill_in(self, chain: Chain) -> Chain:
        """The chain in which every generation has its version, if its network is a user's own, and its initial weights.

        Raises:
            UserError: a network's code cannot be read.
        """
        keys: dict[str, str] = {}
        generations = []
        for generation in chain.generations:
            filled = {
                "network_version": generation.network_version or self._version_of(generation),
                "initial_weights": generation.initial_weights or self._initial_weights_of(generation),
                "teachers": tuple(keys.get(key, key) for key in generation.teachers),
            }
            changes = {name: value for name, value in filled.items() if value != getattr(generation, name)}
            written = generation.model_copy(update=changes) if changes else generation
            keys[generation.key] = written.key
            generations.append(written)
        return chain if chain.keys == tuple(keys.values()) else Chain(seed=chain.seed, generations=tuple(generations))

    def _initial_weights_of(self, generation: Generation) -> str | None:
        network = self._command_line_network
        return network.initial_weights if network is not None and generation.network == network.name else None

    def _version_of(self, generation: Generation) -> str:
        if self._command_line_network is not None and generation.network == self._command_line_network.name:
            return self._command_line_network.version
        architecture = registry.architecture_of(generation)
        if not isinstance(architecture, CustomNetwork):
            return ""
        called = canonical_json([generation.network, generation.network_arguments])
        if called not in self._by_network:
            self._by_network[called] = source_version(architecture)
        return self._by_network[called]
