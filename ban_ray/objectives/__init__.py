"""The objectives of a generation, one file each; every module of this package is imported and registers its loss.

A new objective is a new file here, with a class like those beside it. Its tensors are torch's, which it imports inside
its functions, so that specs and commands can list objectives without torch. `tests/contracts/test_objectives.py`
checks it against a formula in NumPy that `tests/helpers/literal_losses.py` has to give.

Notation: z are the student's logits and q = softmax(z), p the teacher's probabilities, y the labels, s a sample, c a
class. Losses are summed over classes and averaged over the samples of a batch.
"""

import importlib
import pkgutil

from ban_ray.objectives.base import LOSSES, Loss, LossInputs, LossTerms, MixedLabels, WorkerReduction, register

__all__ = ["LOSSES", "Loss", "LossInputs", "LossTerms", "MixedLabels", "WorkerReduction", "import_all", "register"]


def import_all() -> None:
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)


import_all()
