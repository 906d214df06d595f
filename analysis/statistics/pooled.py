"""The primary comparison of a search with several networks: averaged over them, seed by seed."""

from collections.abc import Sequence

import numpy as np

from analysis.statistics.comparison import Comparison, mean_of
from analysis.statistics.independence import interval_of_chains


def pooled(parts: Sequence[Comparison]) -> Comparison | None:
    """The mean over groups of their differences, over the seeds that all of them have; negative is a gain.

    Seeds and images stay the random factors, the groups are those that were chosen to be run; groups of the same
    chains count as one. None for fewer than two groups, without a common seed, or where the groups' test images are
    not the same number.
    """
    different: dict[tuple[tuple[str, ...], ...], Comparison] = {}
    for part in parts:
        different.setdefault(tuple(chain.keys for chain in part.chains), part)
    parts = list(different.values())
    by_seed = [{chain.seed: position for position, chain in enumerate(part.chains)} for part in parts]
    seeds = (
        [chain.seed for chain in parts[0].chains if all(chain.seed in seeds_of for seeds_of in by_seed)]
        if parts
        else []
    )
    images = {part.first.shape[1] for part in parts if part.first is not None}
    if len(parts) < 2 or not seeds or len(images) > 1:
        return None
    firsts, seconds = [], []
    for part, positions in zip(parts, by_seed, strict=True):
        if part.first is None or part.second is None:
            return None
        chosen = [positions[seed] for seed in seeds]
        firsts.append(part.first[chosen])
        seconds.append(part.second[chosen])
    lead = parts[0]
    what = "networks" if len({part.group.network for part in parts}) == len(parts) else "configurations"
    chains = [lead.chains[by_seed[0][seed]] for seed in seeds]
    first, second = np.mean(firsts, axis=0), np.mean(seconds, axis=0)
    return Comparison(
        group=lead.group,
        kind="pooled",
        name=lead.name,
        averaged_over=f"{len(parts)} {what}",
        # A reference that has another network in each group goes by its column.
        against=lead.against if len({part.against for part in parts}) == 1 else lead.group.column(0),
        generation=lead.generation,
        interval=interval_of_chains(chains, first, second, lead.group.metric.scale),
        likelihood=None,
        error=float(np.mean([mean_of(lead.group.metric, part) for part in seconds])),
        against_error=float(np.mean([mean_of(lead.group.metric, part) for part in firsts])),
    )
