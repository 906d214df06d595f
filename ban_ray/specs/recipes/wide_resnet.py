"""Wide-ResNet's recipe for CIFAR, which both papers use: the default (Zagoruyko and Komodakis 2016)."""

from ban_ray.specs.recipe import Recipe

RECIPE = Recipe()
