"""Which chain is begun next, within the budgets."""

import time
from collections.abc import Callable, Iterable, Sequence

from ban_ray.search.config.resolve import PlannedChain
from ban_ray.specs import digest

Propose = Callable[[], Sequence[PlannedChain] | None]


class ChainQueue:
    """Chains that wait to be begun, those of one configuration after another.

    Attributes:
        left_out: sentences about what a budget kept from being trained.
    """

    def __init__(
        self,
        chains: Iterable[PlannedChain],
        propose: Propose | None = None,
        *,
        missing: Callable[[PlannedChain], int],
        max_generations: int | None = None,
        time_budget_s: float | None = None,
    ) -> None:
        """`propose` makes the chains of a further configuration, None when there is none; `missing` counts
        generations of a chain that are not members yet."""
        self._waiting = list(chains)
        self._propose, self._missing, self._max_generations = propose, missing, max_generations
        self._budget_s = time_budget_s
        self._deadline: float | None = None
        self._trained = 0
        self._running: dict[int, int] = {}
        self.finished = False
        self.skipped: list[str] = []

    def start(self) -> None:
        """The time budget runs from here."""
        self._deadline = None if self._budget_s is None else time.monotonic() + self._budget_s

    @property
    def remaining_s(self) -> float | None:
        """Of the time budget, never below one."""
        return None if self._deadline is None else max(1.0, self._deadline - time.monotonic())

    @property
    def out_of_time(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    @property
    def num_waiting(self) -> int:
        """Chains that are known and have not begun."""
        return len(self._waiting)

    def refill(self) -> bool:
        """Whether there is a chain to begin; asks for a configuration where none waits."""
        if not self._waiting and self._propose is not None:
            self._waiting = list(self._propose() or ())
        return bool(self._waiting)

    def next(self) -> PlannedChain | None:
        """The next chain; None where there is none now, and `finished` where there will be none."""
        if self.finished:
            return None
        if self.out_of_time:
            self.close()
            return None
        if not self.refill():
            # A proposal may wait for nothing: what runs now was proposed before.
            self.finished = True
            return None
        num_missing = self._missing(self._waiting[0]) if self._max_generations is not None else 0
        if self._max_generations is not None:
            remaining = self._max_generations - self._trained - sum(self._running.values())
            if num_missing > remaining:
                if not self._running:
                    self._finish(
                        f"--max-generations-trained {self._max_generations} leaves {remaining} and the next chain, "
                        f"{self._waiting[0].title}, needs {num_missing}"
                    )
                # A chain that ends early gives back what it did not train.
                return None
        planned = self._waiting.pop(0)
        self._running[id(planned)] = num_missing
        return planned

    def close(self) -> None:
        """Say what the time left out, where it was too short."""
        if self.out_of_time and not self.finished:
            self._finish("--time-budget is used up")

    def on_generation_trained(self, planned: PlannedChain) -> None:
        """A running chain has published a generation that it trained."""
        self._trained += 1
        self._running[id(planned)] = max(0, self._running[id(planned)] - 1)

    def on_chain_end(self, planned: PlannedChain) -> None:
        self._running.pop(id(planned), None)

    def cancel_configuration(self, planned: PlannedChain) -> list[PlannedChain]:
        """Take back the chains of a configuration that have not begun."""
        identity = digest(dict(planned.configuration))
        dropped = [other for other in self._waiting if digest(dict(other.configuration)) == identity]
        self._waiting = [other for other in self._waiting if other not in dropped]
        return dropped

    def _finish(self, reason: str) -> None:
        self.finished = True
        more = "" if self._propose is None else " and the configurations not yet proposed"
        count = len(self._waiting)
        waiting = f"{count} waiting {'chain' if count == 1 else 'chains'}"
        if count or more:
            self.skipped.append(f"{reason}: {waiting}{more}")
