"""Log-probabilities of a network on clean images."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ban_ray.specs import Recipe
from ban_ray.tasks.images import ImageData, ImageSet
from ban_ray.training.precision import autocast

EVALUATION_BATCH = 256


@torch.no_grad()
def log_probabilities(model: nn.Module, data: ImageData, part: ImageSet, recipe: Recipe) -> Tensor:
    """(n, classes) float32 on the CPU, in eval mode; the model's mode is put back afterwards."""
    training = model.training
    model.eval()
    with autocast(recipe, part.images.device):
        outputs = [
            F.log_softmax(model(data.normalise(images)).float(), 1)
            for images in torch.split(part.images, EVALUATION_BATCH)
            if len(images)
        ]
    model.train(training)
    return torch.cat(outputs).cpu() if outputs else torch.empty(0, data.num_classes)


def error_percent(log_probabilities: Tensor, labels: Tensor) -> float:
    """Share of wrong argmax predictions, in percent."""
    return 100 * (log_probabilities.argmax(1) != labels.cpu()).double().mean().item()


def log_likelihood(log_probabilities: Tensor, labels: Tensor) -> float:
    """Mean log-probability of the true class, in nats."""
    return log_probabilities.gather(1, labels.cpu()[:, None]).double().mean().item()
