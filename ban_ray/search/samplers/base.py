"""The interface of a sampler; Optuna is imported only where one is made."""

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

SAMPLERS: "dict[str, type[Sampler]]" = {}
"""Every registered sampler by its name."""

S = TypeVar("S", bound="type[Sampler]")


class Sampler:
    """A method of choosing configurations of a space.

    Attributes:
        name: its name on the command line.
        is_exhaustive: whether it proposes every configuration in order, instead of sampling.
        supports_conditional_parameters: whether it can sample parameters that exist only under a condition.
    """

    name: ClassVar[str]
    is_exhaustive: ClassVar[bool] = False
    supports_conditional_parameters: ClassVar[bool] = True

    @classmethod
    def optuna_sampler(cls, seed: int, num_samples: int) -> "BaseSampler":
        """A new Optuna sampler for one proposal.

        It keeps no state between proposals, so that an interrupted search proposes what it would have proposed.

        Args:
            seed: for the random choices of this proposal.
            num_samples: configurations that the whole search will sample.
        """
        raise NotImplementedError

    @classmethod
    def system_attrs(cls) -> dict[str, Any]:
        """System attributes that make Optuna's sampler learn from a trial that it did not propose."""
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
    """Random configurations before a model proposes: a third of all, at least 2 and at most 10, Optuna's default."""
    return max(2, min(10, num_samples // 3))
