"""The genetic algorithm NSGA-II (Deb et al. 2002)."""

from typing import TYPE_CHECKING, Any

from ban_ray.search.samplers.base import Sampler, register

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@register
class NSGA2(Sampler):
    """Crosses and mutates the best configurations, by dominance if there are several targets."""

    name = "nsga2"

    @classmethod
    def optuna_sampler(cls, seed: int, num_samples: int) -> "BaseSampler":
        from optuna.samplers import NSGAIISampler

        # Some of its generations must fit in the samples.
        return NSGAIISampler(population_size=max(4, min(50, num_samples // 4)), seed=seed)

    @classmethod
    def system_attrs(cls) -> dict[str, Any]:
        # Optuna selects parents only from trials that have a generation.
        return {"NSGAIISampler:generation": 0}
