"""Tree-structured Parzen estimators (Bergstra et al. 2011), multivariate and grouped (Falkner et al. 2018)."""

from typing import TYPE_CHECKING

from ban_ray.search.samplers.base import Sampler, num_startup_trials, register

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@register
class TPE(Sampler):
    """Samples where good configurations are dense and bad ones are rare."""

    name = "tpe"

    @classmethod
    def optuna_sampler(cls, seed: int, num_samples: int) -> "BaseSampler":
        from optuna.samplers import TPESampler

        return TPESampler(seed=seed, n_startup_trials=num_startup_trials(num_samples), multivariate=True, group=True)
