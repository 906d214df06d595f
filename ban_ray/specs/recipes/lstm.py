"""The LSTM's recipe for Penn Treebank (ICML 2018, Table 6)."""

from ban_ray.specs.recipe import Recipe

RECIPE = Recipe(
    epochs=40,
    batch_size=32,
    learning_rate=1.0,
    learning_rate_drops=(),
    learning_rate_factor=0.25,
    momentum=0.0,
    weight_decay=0.0,
    unroll=35,
    clip=10.0,
    plateau=0.0,
)
