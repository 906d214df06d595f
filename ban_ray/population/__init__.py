"""The population: published generations that anyone can look up by key. Torch-free."""

from ban_ray.population.member import History, Member
from ban_ray.population.publish import publish
from ban_ray.population.read import Population, Predictions
from ban_ray.population.storage import LocalStorage, Storage, open_storage

__all__ = ["History", "LocalStorage", "Member", "Population", "Predictions", "Storage", "open_storage", "publish"]
