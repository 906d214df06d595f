"""A search in Prometheus: gauges in an actor that lives as long as the search, on Ray's own metrics port."""

import secrets
from collections.abc import Iterable
from dataclasses import InitVar, dataclass, field
from typing import Any

from ban_ray.evaluation.metrics import Metric

PREFIX = "ban_ray"
CHAIN_TAGS = ("search", "chain", "generation", "network")
GAUGES = {
    "held_out": "Held-out error of the newest epoch in percent; of text perplexity or bits per character",
    "gain": "The same of the published generation less its teacher's: points, log percent or bits, below 0 is better",
    "epoch": "Epochs done of the generation in training",
    "images_per_second": "Training speed of the newest epoch; of text tokens or characters per second",
}
GENERATIONS = "generations"
"""Generations by state, each counted once however many chains share it: published by this search, taken from the
population, waited for, failed."""


class Gauges:
    """The actor's class; values stay on the port until the actor ends."""

    def __init__(self, search: str) -> None:
        from ray.util.metrics import Gauge

        self._search = search
        self._gauges = {
            name: Gauge(f"{PREFIX}_{name}", description=text, tag_keys=CHAIN_TAGS) for name, text in GAUGES.items()
        }
        self._generations = Gauge(
            f"{PREFIX}_{GENERATIONS}", description="Generations by state", tag_keys=("search", "state")
        )

    def chain(self, values: dict[str, float], tags: dict[str, str]) -> None:
        for name, value in values.items():
            self._gauges[name].set(value, tags={"search": self._search, **tags})

    def generations(self, counts: dict[str, int]) -> None:
        for state, count in counts.items():
            self._generations.set(count, tags={"search": self._search, "state": state})


@dataclass
class SearchMetrics:
    """What the search tells the actor; nothing waits for it, and a lost actor loses its gauges alone.

    Attributes:
        taken: keys of generations that were in the population when the search began.
    """

    search: str
    taken: InitVar[Iterable[str]]
    _keys: dict[str, set[str]] = field(init=False)
    _waiting: dict[str, str] = field(init=False, default_factory=dict)
    _failed: dict[str, str] = field(init=False, default_factory=dict)
    _held_out: dict[tuple[str, int], float] = field(init=False, default_factory=dict)
    _actor: Any = field(init=False)

    def __post_init__(self, taken: Iterable[str]) -> None:
        import ray

        self._keys = {"published": set(), "taken": set(taken)}
        actor = ray.remote(num_cpus=0, max_restarts=-1)(Gauges)
        # For the dashboard; a cluster may run searches of one name in several storages.
        name = f"ban_ray metrics of {self.search} {secrets.token_hex(2)}"
        self._actor = actor.options(name=name).remote(self.search)
        self._push()

    def set_teacher_error(self, chain: str, held_out: float | None) -> None:
        """The teacher of a chain's generation 0, a member of the population; None where nothing was held out."""
        if held_out is not None:
            self._held_out[chain, -1] = held_out

    def on_report(self, chain: str, networks: tuple[str, ...], record: dict[str, Any], metric: Metric) -> None:
        """A record of a chain; `networks` are its generations'."""
        if "waiting_for" in record:
            self._waiting[chain] = record["waiting_for"]
        elif record.get("ended") == "failed":
            self._failed[chain] = record["key"]
        elif "generation" in record:
            self._waiting.pop(chain, None)
            number = int(record["generation"])
            values = {name: float(record[name]) for name in GAUGES if record.get(name) is not None}
            held_out = metric.from_record(record, "held_out")
            if held_out is not None:
                values["held_out"] = held_out
            if record.get("published") or record.get("taken"):
                self._count(record["key"], "published" if record.get("published") else "taken")
                if "epochs" in record:
                    # Not every epoch is reported.
                    values["epoch"] = float(record["epochs"])
                if held_out is not None:
                    self._held_out[chain, number] = held_out
                    if (chain, number - 1) in self._held_out:
                        values["gain"] = metric.difference(held_out, self._held_out[chain, number - 1])
            tags = {"chain": chain, "generation": str(number), "network": networks[number]}
            self._actor.chain.remote(values, tags)
        self._push()

    def on_chain_end(self, chain: str, failure: str) -> None:
        self._waiting.pop(chain, None)
        if failure:
            # A trial that dies names no generation: then the chain stands for one.
            self._failed.setdefault(chain, chain)
        self._push()

    def _count(self, key: str, state: str) -> None:
        """In one state alone: chains take what another of this search has published."""
        if not any(key in keys for keys in self._keys.values()):
            self._keys[state].add(key)

    def _push(self) -> None:
        chains = {"waiting": self._waiting, "failed": self._failed}
        counts = {state: len(keys) for state, keys in self._keys.items()}
        self._actor.generations.remote(counts | {state: len(set(keys.values())) for state, keys in chains.items()})
