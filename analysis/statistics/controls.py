"""Controls of a gain besides the baseline: networks that learn from labels alone in other ways."""

from collections.abc import Sequence
from typing import Any

from analysis.data.chain_groups import ChainGroup
from analysis.data.chains import RecordedChain
from analysis.data.spec_text import differences, spec_of
from analysis.data.study import Study
from ban_ray.population.imported import ImportedGeneration
from ban_ray.specs import Generation, Objective

LABEL = Objective(name="label")


def control_spec(group: ChainGroup) -> Generation:
    """The label-only network that a group's students and ensembles compete with.

    The baseline's spec; the last generation's, with labels alone, where the baseline is another network, was itself
    taught, or was trained elsewhere.
    """
    first = group.baseline
    if (
        first is not None
        and group.has_own_baseline
        and not first.teachers
        and not isinstance(first, ImportedGeneration)
    ):
        return first
    return group.final.model_copy(update={"objective": LABEL, "teachers": (), "shared_layers": "none"})


def independent_networks(study: Study, group: ChainGroup) -> list[str]:
    """Keys of all label-only members of the group's control spec, apart from seeds, in order of their seeds."""
    return study.label_only.get(spec_of(control_spec(group)), [])


def control_groups(group: ChainGroup, groups: Sequence[ChainGroup]) -> list[ChainGroup]:
    """Groups of the same task and last network that learn from labels alone, but for the chain's own baselines.

    Label-only with the loss doubled, for as many epochs as the chain has, with smoothed labels or with the teacher's
    layers frozen are such groups; so is the student's network on labels, where the teacher is another network.
    """
    own = spec_of(group.baseline) if group.baseline is not None else ""
    return [
        other
        for other in groups
        if other.final.network == group.final.network
        and other.task == group.task
        and not other.born_again
        and not other.final.objective.needs_teacher
        and not isinstance(other.final, ImportedGeneration)
        and other.spec != own
    ]


def stands_for_baseline(group: ChainGroup, control: ChainGroup) -> bool:
    """Whether a control is the student's network on labels, where generation 0 is another network."""
    return not group.has_own_baseline and control.spec == spec_of(control_spec(group))


def control_name(group: ChainGroup, control: ChainGroup) -> str:
    """The control's column in its search's table, if it has one, and in what its spec differs from the baseline's."""
    changed = differences(control_spec(group), control.final)
    changes = ", ".join(f"{name} {_short(new)} (baseline {_short(old)})" for name, (old, new) in changed.items())
    columns = control.chains[0].columns
    if columns and columns[-1] not in changes:
        return f"{columns[-1]} ({changes or 'labels only'})"
    return f"label-only, {changes}" if changes else "the same network on labels only"


def paired_chains(
    chains: Sequence[RecordedChain], others: Sequence[RecordedChain]
) -> list[tuple[RecordedChain, RecordedChain]]:
    """Chains and controls of equal seeds; those left over in the order of their seeds."""
    by_seed = {other.seed: other for other in reversed(others) if other.seed is not None}
    pairs = [(chain, by_seed.pop(chain.seed)) for chain in chains if chain.seed in by_seed]
    taken = {id(member) for pair in pairs for member in pair}
    rest = [chain for chain in chains if id(chain) not in taken]
    free = [other for other in others if id(other) not in taken]
    return [*pairs, *zip(rest, free, strict=False)]


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
