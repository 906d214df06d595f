"""The members that may teach a task, judged on held-out data."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ban_ray.errors import UserError
from ban_ray.networks import registry
from ban_ray.networks.source_version import require_version
from ban_ray.population.member import Member
from ban_ray.specs import Task
from ban_ray.tasks.catalog import metric_of

if TYPE_CHECKING:
    from ban_ray.population.population import Population


class Candidate(NamedTuple):
    """A member with its held-out error, or what the task's metric is; ordered from the best on."""

    error: float
    parameters: int
    key: str
    member: Member


class Candidates:
    """The members of a population that may teach a task, as they are when they are first asked for.

    Args:
        num_classes: of the task's data; members of other data are compared with it. None where it is not known.
    """

    def __init__(self, population: Population, task: Task, num_classes: int | None = None) -> None:
        self.population, self.task, self.metric = population, task, metric_of(task)
        self.num_classes = num_classes

    @cached_property
    def of_task(self) -> Sequence[Candidate]:
        """All members of this task and split that have held-out predictions, the best first."""
        return sorted(
            # Keys differ, so members themselves are never compared.
            Candidate(value, member.parameters, member.key, member)
            for member in self.population.records()
            if member.generation.task == self.task and (value := self.metric.value_of(member, "held_out")) is not None
        )

    @cached_property
    def fitting(self) -> Sequence[Candidate]:
        """Those of them whose code builds the same network here."""
        return [candidate for candidate in self.of_task if not self.obstacle(candidate.member)]

    def chosen_by(self, policy: str) -> Sequence[Candidate]:
        """The members that a policy may choose among, at least one.

        Args:
            policy: as it is typed, for messages.

        Raises:
            UserError: there is none, or nothing is held out.
        """
        self.require_held_out(policy)
        if not self.fitting:
            unusable = f": {self.obstacle(self.of_task[0].member)}" if self.of_task else "; train some first"
            raise UserError(
                f"--teacher {policy}: none of the {len(self.of_task)} members of this task and split in "
                f"{self.population.storage.url} can teach here{unusable}"
            )
        return self.fitting

    def require_held_out(self, policy: str) -> None:
        """Refuse to select where nothing is held out.

        Raises:
            UserError: the task is of protocol paper.
        """
        if self.task.protocol == "paper":
            raise UserError(
                f"--teacher {policy} selects on held-out data, which --protocol paper trains on; name a KEY"
            )

    def named(self, key: str, typed: str) -> Member:
        """The member whose key begins with these digits, and which may teach here.

        Args:
            typed: the option's value, for messages.

        Raises:
            UserError: there is none, or it may not.
        """
        try:
            member = self.population[self.population.find_key(key)]
        except UserError as error:
            raise UserError(f"--teacher {typed}: {error}") from error
        self.require_fit(member)
        return member

    def obstacle(self, member: Member) -> str:
        """The reason why a member may not teach here; empty if it may."""
        try:
            self.require_fit(member)
        except UserError as error:
            return str(error)
        return ""

    def require_fit(self, member: Member) -> None:
        """Refuse a member of other classes, that may have seen the held-out samples, or whose code is another today.

        Raises:
            UserError: the first of these that holds.
        """
        spec, task = member.generation, self.task
        if task.leaks_from(spec.task):
            raise UserError(
                f"--teacher {member.key[:12]} trained on {spec.task.name} under {member.split}, and may have seen this "
                "search's held-out samples; only members of the same data and split are allowed"
            )
        if task.normalise != spec.task.normalise:
            raise UserError(
                f"--teacher {member.key[:12]} expects inputs normalised differently (task.normalise), but teacher "
                "and student share their inputs; only members with this search's normalisation are allowed"
            )
        if (task.name, task.fingerprint) != (spec.task.name, spec.task.fingerprint) and self.num_classes is not None:
            # Only the paper protocol allows members of other data at all.
            from ban_ray.evaluation.predictions import classes_of

            classes = classes_of(self.population.predictions(member).test)
            if classes is not None and classes != self.num_classes:
                raise UserError(
                    f"--teacher {member.key[:12]} tells {classes} classes of {spec.task.name} apart, and this search's "
                    f"data have {self.num_classes}; only members of as many classes are allowed"
                )
        require_version(registry.architecture_of(spec), spec.network_version)


def describe(member: Member) -> str:
    """A member in a phrase."""
    origin = ", imported" if member.objective == "imported" else f" by {member.objective}"
    return f"{member.generation.network}{origin} ({member.key[:12]})"
