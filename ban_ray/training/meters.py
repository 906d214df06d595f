"""Means over an epoch, summed on the device so that no step waits for a number."""

import torch
from torch import Tensor

from ban_ray.objectives import LossTerms
from ban_ray.training.distributed import all_reduce_any, all_reduce_sum, world_size

_NAMES = ("loss", "label_loss", "teacher_loss", "train_error", "teacher_error", "teacher_confidence", "teacher_entropy")


class Meters:
    """Means over the steps and workers of an epoch; those that an objective does not have are None."""

    def __init__(self, device: torch.device) -> None:
        self._sums = torch.zeros(len(_NAMES), dtype=torch.float64, device=device)
        self._present = [False] * len(_NAMES)

    def reset(self) -> None:
        """Begin an epoch."""
        self._sums.zero_()

    @torch.no_grad()
    def add(self, terms: LossTerms, logits: Tensor, labels: Tensor, teacher: Tensor | None) -> None:
        """Add this worker's part of a step, or a micro-batch: logits, teacher log-probabilities (b, C), labels (b,)."""
        zero = self._sums.new_zeros(())
        values = [terms.total, terms.label, terms.teacher, (logits.argmax(1) != labels).double().mean()]
        if teacher is not None:
            probabilities = teacher.exp()
            top, chosen = probabilities.max(1)
            entropy = -(probabilities * teacher).nan_to_num(0.0).sum(1)
            values += [(chosen != labels).double().mean(), top.mean(), entropy.mean()]
        else:
            values += [None, None, None]
        self._present = [value is not None for value in values]
        self._sums += torch.stack([zero if value is None else value.double() for value in values])

    def finite(self) -> bool:
        """Whether the loss has been finite on every worker since the epoch began; waits for the device."""
        return not all_reduce_any(not bool(torch.isfinite(self._sums[0])), self._sums.device)

    def means(self, additions: int) -> dict[str, float | None]:
        """Means over so many calls of `add`: losses in nats, errors in percent, confidence in 0..1, entropy in nats."""
        sums = (all_reduce_sum(self._sums) / (additions * world_size())).tolist()
        return {
            name: (100 * value if name.endswith("error") else value) if present else None
            for name, value, present in zip(_NAMES, sums, self._present, strict=True)
        }
