"""A Gaussian process with expected improvement."""

from typing import TYPE_CHECKING

from ban_ray.search.samplers.base import Sampler, num_startup_trials, register

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@register
class GaussianProcess(Sampler):
    """Models the targets over the whole space, so every parameter must exist everywhere."""

    name = "gp"
    supports_conditional_parameters = False

    @classmethod
    def optuna_sampler(cls, seed: int, num_samples: int) -> "BaseSampler":
        from optuna.samplers import GPSampler

        return GPSampler(seed=seed, n_startup_trials=num_startup_trials(num_samples))
