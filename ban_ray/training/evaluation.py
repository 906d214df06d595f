"""Predictions of a network on samples that are not augmented."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ban_ray.networks.modules.recurrent import reset_state
from ban_ray.specs import Recipe
from ban_ray.tasks.task_data import Part, TaskData
from ban_ray.training.precision import autocast


@torch.no_grad()
def evaluate(
    model: nn.Module, data: TaskData, part: Part, recipe: Recipe, before_batch: Callable[[], None] | None = None
) -> Tensor:
    """The outputs (n, ...) for a part of the data, on the CPU; of images log-probabilities (n, classes) in float32.

    The model is in eval mode meanwhile, and its recurrent state is reset before and after.
    """
    training = model.training
    model.eval()
    reset_state(model)
    outputs = []
    with autocast(recipe, part.labels.device):
        for inputs, labels in data.evaluation_batches(part):
            if before_batch is not None:
                before_batch()
            outputs.append(data.reduce_outputs(F.log_softmax(model(inputs).float(), 1), labels))
    reset_state(model)
    model.train(training)
    return data.concat_outputs(outputs, part)
