"""The interface of a sampler; Optuna is imported only where one is made."""

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

SAMPLERS: "dict[str, type[Sampler]]" = {}
"""Every registered sampler by its name."""

S = TypeVar("S", bound="type[Sampler]")


class Sampler:
    """A way through the configurations of a space.

    Attributes:
        name: its name on the command line.
        is_listing: whether it takes every configuration in order instead of sampling.
        takes_conditional: whether a parameter may exist in a part of the space only.
    """

    name: ClassVar[str]
    is_listing: ClassVar[bool] = False
    takes_conditional: ClassVar[bool] = True

    @classmethod
    def optuna_sampler(cls, seed: int, num_samples: int) -> "BaseSampler":
        """Optuna's sampler for one proposal, without a past of its own, so that an interrupted search can resume.

        Args:
            seed: of this proposal.
            num_samples: configurations that the whole search will sample.
        """
        raise NotImplementedError

    @classmethod
    def system_attrs(cls) -> dict[str, Any]:
        """Optuna's own attributes for a trial that the sampler did not propose, so that it learns from it."""
        return {}


def register(sampler: S) -> S:
    """Make a sampler known by its name.

    Raises:
        ValueError: another sampler has the name.
    """
    if SAMPLERS.setdefault(sampler.name, sampler) is not sampler:
        raise ValueError(f"two samplers are called {sampler.name!r}")
    return sampler


def num_startup_trials(num_samples: int) -> int:
    """Random configurations before a model's own: a third of all, and no more than Optuna's ten."""
    return max(2, min(10, num_samples // 3))
