"""Configurations that make the same chain, since the parameters in which they differ have no effect."""

import json
from collections.abc import Iterable, Sequence

from ban_ray.search.config.spec import PlannedChain
from ban_ray.specs.parameters import Configuration, configuration_id

ChainKeysBySeed = frozenset[tuple[int, tuple[str, ...]]]


def chain_keys_by_seed(chains: Iterable[PlannedChain]) -> ChainKeysBySeed:
    """The keys of a configuration's chain for each seed."""
    return frozenset((planned.seed, planned.chain.keys) for planned in chains)


def equal_chains_sentence(chains: Iterable[PlannedChain]) -> str:
    """A sentence on the number of configurations that make the same chain as another one; empty if none does.

    Args:
        chains: the chains of all configurations and seeds.
    """
    by_configuration: dict[str, list[PlannedChain]] = {}
    for planned in chains:
        by_configuration.setdefault(configuration_id(planned.configuration), []).append(planned)
    by_keys: dict[ChainKeysBySeed, list[Configuration]] = {}
    for group in by_configuration.values():
        by_keys.setdefault(chain_keys_by_seed(group), []).append(group[0].configuration)
    equal = [configurations for configurations in by_keys.values() if len(configurations) > 1]
    if not equal:
        return ""
    total, different = len(by_configuration), len(by_keys)
    pair = _pair(equal[0])
    if different == 1:
        return f"All {total} configurations make the same chain, such as {pair}."
    return (
        f"{sum(map(len, equal))} of {total} configurations make the same chain as another one, such as {pair}; "
        f"{different} chains are different."
    )


def _pair(configurations: Sequence[Configuration]) -> str:
    """The first two configurations in words, and the parameters that they differ in."""
    first, second = configurations[:2]
    names = [name for name in {**first, **second} if first.get(name) != second.get(name)]
    no_effect = f"{' and '.join(names)} {'has' if len(names) == 1 else 'have'} no effect"
    return f"{json.dumps(dict(first))} and {json.dumps(dict(second))}, where {no_effect}"
