"""The queue of chains, limited by the budgets of generations and time."""

import time
from collections.abc import Callable, Iterable, Sequence

from ban_ray.search.config.spec import PlannedChain
from ban_ray.specs.parameters import configuration_id


class ChainQueue:
    """Chains waiting to be started, one configuration after another.

    Args:
        propose: returns the chains of one more configuration; None if there are no more.
        count_missing: returns the number of a chain's generations that are not members yet.
        max_generations: generations that may be trained in all.
        time_budget_s: seconds from `start_time_budget`.

    Attributes:
        is_finished: whether no further chain will start: there are none, or a budget is used up.
        skip_reasons: sentences about chains that a budget excluded.
    """

    def __init__(
        self,
        chains: Iterable[PlannedChain],
        propose: Callable[[], Sequence[PlannedChain] | None] | None = None,
        *,
        count_missing: Callable[[PlannedChain], int],
        max_generations: int | None = None,
        time_budget_s: float | None = None,
    ) -> None:
        self._queued = list(chains)
        self._propose, self._count_missing, self._max_generations = propose, count_missing, max_generations
        self._time_budget_s = time_budget_s
        self._deadline: float | None = None
        self._num_trained = 0
        self._reserved_generations: dict[int, int] = {}
        self.is_finished = False
        self.skip_reasons: list[str] = []

    def start_time_budget(self) -> None:
        """Start the time budget."""
        self._deadline = None if self._time_budget_s is None else time.monotonic() + self._time_budget_s

    @property
    def remaining_s(self) -> float | None:
        """The rest of the time budget, at least one second; None without a budget."""
        return None if self._deadline is None else max(1.0, self._deadline - time.monotonic())

    @property
    def is_out_of_time(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    @property
    def queued_chains(self) -> tuple[PlannedChain, ...]:
        """Known chains that have not started."""
        return tuple(self._queued)

    def refill(self) -> bool:
        """Request one more configuration if no chain is waiting.

        Returns:
            Whether a chain is waiting.
        """
        if not self._queued and self._propose is not None:
            self._queued = list(self._propose() or ())
        return bool(self._queued)

    def next_chain(self) -> PlannedChain | None:
        """The next chain to start; None if there is none now, and `is_finished` is set if there will be none."""
        self.finish_if_out_of_time()
        if self.is_finished or not self.refill():
            # Proposals do not wait for running chains, so an empty queue is final.
            self.is_finished = True
            return None
        num_missing = 0
        if self._max_generations is not None:
            num_missing = self._count_missing(self._queued[0])
            remaining = self._max_generations - self._num_trained - sum(self._reserved_generations.values())
            if num_missing > remaining:
                if not self._reserved_generations:
                    self._finish(
                        f"--max-generations-trained {self._max_generations} leaves {remaining} and the next chain, "
                        f"{self._queued[0].title}, needs {num_missing}"
                    )
                # A running chain that ends early may free enough of the budget.
                return None
        planned = self._queued.pop(0)
        self._reserved_generations[id(planned)] = num_missing
        return planned

    def finish_if_out_of_time(self) -> None:
        """Start no further chain once the time budget is used up, and say which are skipped."""
        if self.is_out_of_time and not self.is_finished:
            self._finish("--time-budget is used up")

    def on_generation_trained(self, planned: PlannedChain) -> None:
        """Count a generation that a running chain has trained and published."""
        self._num_trained += 1
        self._reserved_generations[id(planned)] = max(0, self._reserved_generations[id(planned)] - 1)

    def on_chain_end(self, planned: PlannedChain) -> None:
        self._reserved_generations.pop(id(planned), None)

    def cancel_configuration(self, planned: PlannedChain) -> list[PlannedChain]:
        """Remove the chains of a configuration that have not started, and return them."""
        identifier = configuration_id(planned.configuration)
        cancelled = [other for other in self._queued if configuration_id(other.configuration) == identifier]
        self._queued = [other for other in self._queued if other not in cancelled]
        return cancelled

    def _finish(self, reason: str) -> None:
        self.is_finished = True
        more = "" if self._propose is None else " and the configurations not yet proposed"
        count = len(self._queued)
        waiting = f"{count} waiting {'chain' if count == 1 else 'chains'}"
        if count or more:
            self.skip_reasons.append(f"{reason}: {waiting}{more}")
