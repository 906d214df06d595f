"""AdamW and a cosine, for vision transformers that are trained from scratch on small images.

Epochs, batch size, learning rate, weight decay and warm-up are those of Lee, Lee and Song 2021 ("Vision Transformer for
Small-Size Datasets", CIFAR at 32 x 32). That biases and norms do not decay, and that the rate ends at 1e-5, is as in
DeiT (Touvron et al. 2021). Their augmentation and label smoothing are no part of a recipe.
"""

from ban_ray.specs.recipe import Recipe

RECIPE = Recipe(
    epochs=100,
    batch_size=128,
    optimiser="adamw",
    learning_rate=1e-3,
    weight_decay=0.05,
    decay="matrices",
    schedule="cosine",
    warm_up_epochs=10,
    final_learning_rate=0.01,
)
