"""A short training from pretrained weights (Dosovitskiy et al. 2021, appendix B.1.1, on CIFAR).

SGD with plain momentum, a cosine, no weight decay, and gradients of a norm of at most 1. They take batches of 512 and
the best of several learning rates, of which this is one, for the body; epochs and warm-up are shorter for small data.
The head, which is new, learns ten times as fast (as in DeepLab, Chen et al. 2018).
"""

from ban_ray.specs.recipe import Recipe

RECIPE = Recipe(
    epochs=20,
    learning_rate=0.03,
    body_learning_rate=0.1,
    optimiser_arguments={"nesterov": False},
    weight_decay=0.0,
    schedule="cosine",
    warm_up_epochs=1,
    clip=1.0,
)
