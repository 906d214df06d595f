"""Wide-ResNet's recipe with one cosine in place of its drops (Loshchilov and Hutter 2017, without restarts)."""

from ban_ray.specs.recipe import Recipe

RECIPE = Recipe(schedule="cosine")
