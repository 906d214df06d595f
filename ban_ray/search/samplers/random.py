"""Independent uniform samples."""

from typing import TYPE_CHECKING

from ban_ray.search.samplers.base import Sampler, register

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@register
class Random(Sampler):
    """Samples each parameter uniformly over its range."""

    name = "random"

    @classmethod
    def optuna_sampler(cls, seed: int, num_samples: int) -> "BaseSampler":
        from optuna.samplers import RandomSampler

        return RandomSampler(seed=seed)
