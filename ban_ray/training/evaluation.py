"""What a network predicts of samples that are not augmented."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ban_ray.networks.modules.recurrent import reset_state
from ban_ray.specs import Recipe
from ban_ray.tasks.task_data import Part, TaskData
from ban_ray.training.precision import autocast


@torch.no_grad()
def evaluate(model: nn.Module, data: TaskData, part: Part, recipe: Recipe) -> Tensor:
    """The outputs of a part (n, ...) on the CPU, of images log-probabilities (n, classes) float32.

    In eval mode, from the beginning of the part; the model's mode is put back afterwards, and it has forgotten what it
    read.
    """
    training = model.training
    model.eval()
    reset_state(model)
    with autocast(recipe, part.labels.device):
        kept = [
            data.reduce_outputs(F.log_softmax(model(inputs).float(), 1), labels)
            for inputs, labels in data.evaluation_batches(part)
        ]
    reset_state(model)
    model.train(training)
    return data.concat_outputs(kept, part)
