"""Teachers that are chosen for each configuration when it begins, and the same ones whenever it is run again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ban_ray.errors import UserError
from ban_ray.population import Population
from ban_ray.population.search_records import ChainRecord
from ban_ray.population.teaching import Candidates, SelectedTeachers, TeacherPolicy, parse_policy
from ban_ray.specs import Scale, SearchSpace, Task, derive_seed, digest
from ban_ray.specs.fields.names import TEACHER
from ban_ray.specs.parameters import Configuration, configuration_id


@dataclass
class TeacherDecisions:
    """The teachers of a search's configurations, for each seed.

    Before `load`, and for a configuration that has not begun, a policy that depends on the population has decided
    nothing: the chain's teacher then has a key that is nobody's.

    Attributes:
        policy: of the command line.
        is_per_configuration: whether a configuration's teachers are chosen when it begins, and not for all before the
            search starts.
        searched: the policies among which the search samples, by their texts; empty if it samples none.
    """

    policy: TeacherPolicy
    searched: dict[str, TeacherPolicy] = field(default_factory=dict)
    is_per_configuration: bool = False
    _chosen: dict[tuple[str, int], SelectedTeachers] = field(default_factory=dict)
    _fixed: dict[str, SelectedTeachers] = field(default_factory=dict)
    _found: dict[str, SelectedTeachers | None] = field(default_factory=dict)
    _candidates: Candidates | None = None
    _search_seed: int = 0

    @property
    def takes_members(self) -> bool:
        """Whether a member of the population may teach."""
        return any(policy.takes_members for policy in self._policies)

    @property
    def in_words(self) -> str:
        """The policies that choose late; empty if there are none."""
        return " or ".join(policy.text for policy in self._policies if not policy.ignores_population)

    @property
    def _policies(self) -> Sequence[TeacherPolicy]:
        return list(self.searched.values()) or [self.policy]

    def policy_of(self, configuration: Configuration) -> TeacherPolicy:
        """The policy of a configuration: the sampled one, where it has one."""
        return self.searched.get(str(configuration.get(TEACHER)), self.policy)

    def of(self, configuration: Configuration, seed: int) -> SelectedTeachers | None:
        """The teachers of a configuration's chain, where they are its own; None too if no member teaches it."""
        policy = self.policy_of(configuration)
        if not self.is_per_configuration or not policy.takes_members:
            return None
        identifier = configuration_id(configuration)
        chosen = self._fixed.get(policy.text) or self._chosen.get((identifier, seed))
        return chosen or SelectedTeachers((digest([policy.text, identifier, seed]),), policy.text, is_decided=False)

    def is_decided(self, configuration: Configuration, seeds: Iterable[int]) -> bool:
        """Whether the teachers of a configuration are known for all seeds."""
        return all((chosen := self.of(configuration, seed)) is None or chosen.is_decided for seed in seeds)

    def load(
        self,
        population: Population,
        task: Task,
        num_classes: int,
        *,
        search_seed: int,
        records: Iterable[ChainRecord],
    ) -> None:
        """Read the decisions that a search has recorded; from now on, configurations can begin.

        Args:
            search_seed: from which, the configuration and the chain's seed every draw follows.

        Raises:
            UserError: a named member may not teach here, or the policy of the command line finds nobody.
        """
        self._candidates, self._search_seed = Candidates(population, task, num_classes), search_seed
        for record in records:
            if record.teachers is not None:
                teachers = SelectedTeachers(record.teachers.keys, record.teachers.how)
                self._chosen[configuration_id(record.configuration), record.seed] = teachers  # type: ignore[arg-type]
        for policy in self.searched.values():
            # Who is named is refused before anything starts; others may find somebody later.
            if policy.ignores_population and policy.takes_members:
                self._fixed[policy.text] = policy.select(self._candidates, 0)
            elif not policy.ignores_population:
                self._candidates.require_held_out(policy.text)
        if not self.searched and not self._chosen:
            self.policy.select(self._candidates, 0)

    def refresh_candidates(self) -> None:
        """Look at the population anew, since a configuration is about to begin."""
        if self._candidates is not None:
            known = self._candidates
            self._candidates = Candidates(known.population, known.task, known.num_classes)
            self._found.clear()

    def decide(self, configuration: Configuration, seeds: Iterable[int]) -> None:
        """Choose the teachers of a configuration that begins now, unless they are known.

        Raises:
            UserError: the policy finds nobody.
        """
        policy, identifier = self.policy_of(configuration), configuration_id(configuration)
        for seed in seeds:
            if not self.is_decided(configuration, [seed]):
                assert self._candidates is not None, "decisions are taken in a population"
                drawn = derive_seed(self._search_seed, "teacher", int(identifier[:15], 16), seed)
                known = None if policy.is_drawn else self._found.get(policy.text)
                self._chosen[identifier, seed] = known or policy.select(self._candidates, drawn)

    def obstacle(self, configuration: Configuration, seeds: Iterable[int]) -> str:
        """The reason why a configuration cannot begin now: its policy finds nobody yet. Empty if it can."""
        if self._candidates is None or self.is_decided(configuration, seeds):
            return ""
        policy = self.policy_of(configuration)
        if policy.text not in self._found:
            try:
                # Kept for `decide`: a greedy choice reads many predictions.
                self._found[policy.text] = policy.select(self._candidates, 0)
            except UserError:
                self._found[policy.text] = None
        is_found = self._found[policy.text] is not None
        return "" if is_found else f"--teacher {policy.text} found nobody who could teach at that time"


def read_decisions(option: str, space: SearchSpace, scale: Scale) -> TeacherDecisions:
    """The decisions of a search that has taken none.

    Args:
        option: of ``--teacher``.
        scale: of the search; its parameter `TEACHER` lists policies, in spaces that take a teacher.

    Raises:
        UserError: a text that names no teacher, policies on the command line and among the parameters, or a space that
            takes no teacher.
    """
    searched: dict[str, TeacherPolicy] = {}
    if space.takes_teacher and TEACHER in scale.parameters:
        texts = map(str, scale.parameters[TEACHER].listed() or ())
        searched = {text: _parse(f"--search {TEACHER}=", text) for text in texts}
    policy = _parse("--teacher ", option)
    if option != "parent" and searched:
        raise UserError(f"--teacher {option!r} has no effect: the search samples it from {', '.join(searched)}")
    if option != "parent" and not space.takes_teacher:
        raise UserError(f"--teacher {option!r} has no effect: space {space.name} has its own teachers")
    normal = [policy.text for policy in searched.values()]
    if len(set(normal)) < len(normal):
        raise UserError(f"--search {TEACHER}={','.join(searched)}: two of the policies are the same")
    # The only configuration of a list begins when the search does.
    begins_at_once = len(scale.configurations) == 1 and not policy.is_drawn
    return TeacherDecisions(
        policy, searched, is_per_configuration=bool(searched) or not (policy.ignores_population or begins_at_once)
    )


def _parse(typed: str, text: str) -> TeacherPolicy:
    try:
        return parse_policy(text)
    except ValueError as error:
        raise UserError(f"{typed}{error}") from error
