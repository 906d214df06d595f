"""Prometheus gauges of a search, on Ray's own metrics port; values stay there until this process ends."""

from collections.abc import Iterable

from ban_ray.population import Population
from ban_ray.runtime.events import ChainEnded, EpochEnded, Event, Published, Reused, Waiting
from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.schedule.controller import ChainCallback
from ban_ray.search.schedule.outcome import ChainOutcome

PREFIX = "ban_ray"
CHAIN_TAGS = ("search", "chain", "generation", "network")
GAUGES = {
    "held_out": "Held-out error (%) of the latest epoch; for text, perplexity or bits per character",
    "gain": "Held-out error of the published generation minus that of its predecessor (for text log % or bits); "
    "negative is better",
    "epoch": "Epochs done of the generation in training",
    "images_per_second": "Training speed of the latest epoch; for text, tokens or characters per second",
}
GENERATIONS = "generations"
"""Generations by state, each counted once even if chains share it: published by this search, taken from the population,
waited for, failed."""


class SearchGauges(ChainCallback):
    """Sets the gauges of a search.

    Args:
        search_name: name of the search.
        initially_published_keys: keys of generations that were in the population when the search began.
    """

    def __init__(self, search_name: str, population: Population, initially_published_keys: Iterable[str]) -> None:
        from ray.util.metrics import Gauge

        self._search_name = search_name
        self._gauges = {
            name: Gauge(f"{PREFIX}_{name}", description=text, tag_keys=CHAIN_TAGS) for name, text in GAUGES.items()
        }
        self._generations = Gauge(
            f"{PREFIX}_{GENERATIONS}", description="Generations by state", tag_keys=("search", "state")
        )
        self._population = population
        self._keys: dict[str, set[str]] = {"published": set(), "taken": set(initially_published_keys)}
        self._waiting: dict[str, str] = {}
        self._failed: dict[str, str] = {}
        self._held_out: dict[tuple[str, int], float] = {}
        self._push()

    def on_chain_start(self, planned: PlannedChain) -> None:
        for teacher in planned.chain.generations[0].teachers[-1:]:
            member = self._population.get(teacher)
            held_out = None if member is None else planned.metric.value_of(member, "held_out")
            if held_out is not None:
                self._held_out[planned.title, -1] = held_out

    def on_event(self, planned: PlannedChain, event: Event) -> None:
        chain = planned.title
        match event:
            case Waiting():
                self._waiting[chain] = event.key
            case ChainEnded():
                if event.status == "failed":
                    self._failed[chain] = event.key
            case EpochEnded() | Published() | Reused():
                self._waiting.pop(chain, None)
                network = planned.chain.generations[event.generation].network
                tags = {"chain": chain, "generation": str(event.generation), "network": network}
                for name, value in self._values(planned, event).items():
                    self._gauges[name].set(value, tags={"search": self._search_name, **tags})
        self._push()

    def on_chain_end(self, planned: PlannedChain, outcome: ChainOutcome) -> None:
        chain = planned.title
        self._waiting.pop(chain, None)
        if outcome.status == "failed":
            # A trial whose process died names no generation; the chain is counted as one.
            self._failed.setdefault(chain, chain)
        self._push()

    def _values(self, planned: PlannedChain, event: EpochEnded | Published | Reused) -> dict[str, float]:
        """The gauges of a chain after an event."""
        chain, metric = planned.title, planned.metric
        values = {name: float(event.metrics[name]) for name in GAUGES if event.metrics.get(name) is not None}
        held_out = metric.from_record(event.metrics, "held_out")
        if held_out is not None:
            values["held_out"] = held_out
        if isinstance(event, EpochEnded):
            return values
        # Chains reuse what other chains of this search have published; each generation is counted in one state.
        if not any(event.key in keys for keys in self._keys.values()):
            self._keys["published" if isinstance(event, Published) else "taken"].add(event.key)
        if isinstance(event, Published) and event.epochs is not None:
            # Not every epoch is reported.
            values["epoch"] = float(event.epochs)
        if held_out is not None:
            self._held_out[chain, event.generation] = held_out
            if (chain, event.generation - 1) in self._held_out:
                values["gain"] = metric.difference(held_out, self._held_out[chain, event.generation - 1])
        return values

    def _push(self) -> None:
        chains = {"waiting": self._waiting, "failed": self._failed}
        counts = {state: len(keys) for state, keys in self._keys.items()}
        counts |= {state: len(set(keys.values())) for state, keys in chains.items()}
        for state, count in counts.items():
            self._generations.set(count, tags={"search": self._search_name, "state": state})
