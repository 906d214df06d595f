"""The interface of a teacher policy."""

import re
from dataclasses import dataclass
from typing import ClassVar, Self, TypeVar

from ban_ray.population.teaching.candidates import Candidates
from ban_ray.specs import Chain, TablePosition

POLICIES: "dict[str, type[TeacherPolicy]]" = {}
"""Every registered policy by its name."""

WHOLE = r"([1-9][0-9]{0,5})"
"""The pattern of a policy's argument that is a whole number from 1."""

P = TypeVar("P", bound="type[TeacherPolicy]")


@dataclass(frozen=True)
class SelectedTeachers:
    """Keys of the members whose averaged probabilities teach generation 0, and a phrase on how they were selected.

    A key that is there n times has n times the weight. `is_decided` is false while the policy has not chosen yet; the
    keys are then nobody's.
    """

    keys: tuple[str, ...]
    description: str
    is_decided: bool = True


class TeacherPolicy:
    """A rule by which the teachers of a chain's first generation are chosen.

    Attributes:
        name: of the policy.
        form: as it is typed, with capitals for what is to be filled in.
        pattern: regular expression of the whole text; its groups are the policy's arguments.
        takes_members: whether members of the population teach; else the first generation learns from labels.
        ignores_population: whether it chooses the same members whatever else the population holds.
        is_drawn: whether it chooses at random.
    """

    name: ClassVar[str]
    form: ClassVar[str]
    pattern: ClassVar[str]
    takes_members: ClassVar[bool] = True
    ignores_population: ClassVar[bool] = False
    is_drawn: ClassVar[bool] = False

    @classmethod
    def of_groups(cls, *groups: str) -> Self:
        """The policy with the arguments that the groups of its pattern matched."""
        return cls(*map(int, groups))

    @property
    def text(self) -> str:
        """The policy as it is typed."""
        return self.form

    def recorded(self) -> dict[str, object]:
        """The policy in a search's identity."""
        return {"policy": self.text}

    def select(self, candidates: Candidates, seed: int) -> SelectedTeachers:
        """The teachers, by held-out data alone: a function of the candidates and, if it draws, of the seed.

        Raises:
            UserError: it finds nobody, or who it names may not teach here.
        """
        raise NotImplementedError

    def chain(self, chain: Chain) -> Chain:
        """The chain as this policy has it taught, generations after the first included.

        Raises:
            UserError: the policy cannot be used on this chain.
        """
        return chain

    def place(self, position: TablePosition) -> TablePosition:
        """The position of such a chain in a table, whose columns say what is not usual about a generation."""
        return position


def register(policy: P) -> P:
    """Make a policy known by its name.

    Raises:
        ValueError: another policy has the name.
    """
    if POLICIES.setdefault(policy.name, policy) is not policy:
        raise ValueError(f"two teacher policies are called {policy.name!r}")
    return policy


def forms() -> str:
    """The forms of all policies in prose."""
    listed = sorted((policy.form for policy in POLICIES.values()), key=_order)
    return f"{', '.join(listed[:-1])} and {listed[-1]}"


def _order(form: str) -> tuple[bool, bool, str]:
    return form != "parent", not form.startswith("KEY"), form


def parse_policy(text: str) -> TeacherPolicy:
    """The policy that a text names.

    Raises:
        ValueError: no policy has such a form.
    """
    for policy in POLICIES.values():
        if match := re.fullmatch(policy.pattern, text):
            return policy.of_groups(*(group for group in match.groups() if group is not None))
    raise ValueError(
        f"{text!r} names no teacher; allowed are {forms()}, where KEY is a member's or at least its first 8 letters"
    )
