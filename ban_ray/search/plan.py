"""What a search will do, before it does it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console

from ban_ray.networks import names
from ban_ray.population import Population
from ban_ray.search.cost import Cost, estimate
from ban_ray.search.live import duration
from ban_ray.search.request import Planned, Request
from ban_ray.search.tables import new_table
from ban_ray.specs import Generation


@dataclass(frozen=True)
class Plan:
    """The distinct generations of a search; one that several chains name counts once.

    Attributes:
        there: keys that are members already.
        missing: generations to train, in the order in which chains first name them.
        open: chains that miss at least one generation.
    """

    request: Request
    there: frozenset[str]
    missing: tuple[Generation, ...]
    open: tuple[Planned, ...]

    @property
    def distinct(self) -> int:
        return len(self.there) + len(self.missing)


def make(request: Request, population: Population | None) -> Plan:
    """Look every generation up; without a population, all are missing."""
    wanted = {generation.key: generation for planned in request.chains for generation in planned.chain.generations}
    there = frozenset(key for key in wanted if population is not None and key in population)
    missing = tuple(generation for key, generation in wanted.items() if key not in there)
    still = tuple(planned for planned in request.chains if not there.issuperset(planned.chain.keys))
    return Plan(request, there, missing, still)


def show(plan: Plan, console: Console) -> None:
    """Print the plan: one row a configuration, then the totals."""
    request = plan.request
    table = new_table("network", "parameters", "seeds", "to train", "there")
    for row, group in by_row(request.chains).items():
        keys = {key for planned in group for key in planned.chain.keys}
        seeds = dict.fromkeys(planned.seed for planned in group)
        table.add_row(
            row,
            count(parameters(request, group)),
            ",".join(map(str, seeds)),
            str(len(keys - plan.there)),
            str(len(keys & plan.there)),
        )
    console.print(table)
    console.print(
        f"{len(request.chains)} chains, {plan.distinct} distinct generations: {len(plan.missing)} to train, "
        f"{len(plan.there)} already there",
        highlight=False,
    )


def estimated(plan: Plan) -> Cost | None:
    """What the missing generations cost, from one measured step of each kind."""
    request = plan.request
    known = {g.key: g for planned in request.chains for g in planned.chain.generations}
    return estimate(
        plan.missing,
        known,
        num_classes=request.decoded.num_classes,
        in_channels=request.decoded.in_channels,
        sample_shape=request.decoded.sample_shape,
        training_samples=request.sizes.train,
    )


def show_cost(cost: Cost, concurrent_devices: int, console: Console) -> None:
    """Print what is to be expected."""
    console.print(
        f"About {cost.multiply_accumulates:.2g} multiply-accumulates and {duration(cost.seconds)} on {cost.device}, "
        f"with up to {cost.peak_bytes / 2**30:.1f} GiB for one worker, as one step of each kind takes; "
        f"on {concurrent_devices} at once {duration(cost.seconds / concurrent_devices)}, with 10 s or more to start a "
        "chain",
        highlight=False,
        soft_wrap=True,
    )


def by_row(chains: Sequence[Planned]) -> dict[str, list[Planned]]:
    """Chains grouped by their row, in order of appearance."""
    groups: dict[str, list[Planned]] = {}
    for planned in chains:
        groups.setdefault(planned.place.row, []).append(planned)
    return groups


def parameters(request: Request, row: Sequence[Planned]) -> int:
    """Parameters of a row's network on the search's data."""
    decoded, place = request.decoded, row[0].place
    network = place.network or place.row
    for generation in (generation for planned in row for generation in planned.chain.generations):
        if generation.network == network:
            return names.parse(network, generation.network_arguments or None).parameters(
                decoded.num_classes, decoded.in_channels
            )
    return names.parse(network).parameters(decoded.num_classes, decoded.in_channels)


def count(number: int) -> str:
    """7.494 M, 20.4 k or 202."""
    if number >= 100_000:
        return f"{number / 1e6:.3f} M"
    return f"{number / 1e3:.1f} k" if number >= 1000 else str(number)


def as_json(plan: Plan, cost: Cost | None, misses: Sequence[str]) -> dict[str, object]:
    """The plan as JSON values; seconds of a device, bytes of one worker."""
    return {
        "cost": None if cost is None else asdict(cost),
        "near_misses": list(misses),
        "regime": plan.request.regime,
        "chains": [
            {
                "configuration": dict(planned.configuration),
                "seed": planned.seed,
                "network": planned.chain.network,
                "parameters": parameters(plan.request, [planned]),
                "keys": list(planned.chain.keys),
            }
            for planned in plan.request.chains
        ],
        "distinct_generations": plan.distinct,
        "to_train": len(plan.missing),
        "already_there": len(plan.there),
    }
