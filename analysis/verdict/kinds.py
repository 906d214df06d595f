"""The kinds of networks that learn without a teacher, told by what their specs change of the baseline's."""

from collections.abc import Collection, Mapping, Sequence

from analysis.data.chain_groups import ChainGroup
from analysis.data.spec_text import differences
from ban_ray.specs import Generation

EARLY_STOPPING, LONGER, LONGER_STOPPED = "early stopping", "all epochs", "all epochs with early stopping"
EMA, SWA = "averaged weights (EMA)", "averaged weights (SWA)"
SMOOTHING, RECIPE = "label smoothing", "learning rate and weight decay"
INDEPENDENT = "independent networks"
OTHER = "other"

TUNED = (SMOOTHING, RECIPE)
"""Kinds of which one is chosen, so that its cost is that of all, the baseline's with them."""

EXPECTED = (EARLY_STOPPING, EMA, SWA, SMOOTHING, RECIPE, LONGER_STOPPED, INDEPENDENT)
"""Kinds that a reviewer asks for; see `ban_ray.specs.controls`."""

_AVERAGING = {"ema": EMA, "swa": SWA, "best": EARLY_STOPPING}
_OF_AVERAGING = {"averaging", "ema_decay", "swa_start"}


def kind_of(generation: Generation, baseline: Generation) -> str:
    """The kind of a label-only network; `INDEPENDENT` for the baseline's own spec."""
    changed = set(differences(baseline, generation))
    if not changed:
        return INDEPENDENT
    if changed <= _OF_AVERAGING:
        return _AVERAGING.get(generation.recipe.averaging, OTHER)
    if changed <= {"learning_rate", "weight_decay"}:
        return RECIPE
    if changed == {"epochs"}:
        return LONGER
    if changed <= {"epochs", *_OF_AVERAGING} and generation.recipe.averaging == "best":
        return LONGER_STOPPED
    smoothed = generation.objective.name == "label" and generation.objective.label_weight == 1
    return SMOOTHING if changed == {"objective"} and smoothed else OTHER


def by_kind(groups: Sequence[ChainGroup], baseline: Generation) -> Mapping[str, list[ChainGroup]]:
    """Groups of one label-only network by their kind, in the order given."""
    sorted_out: dict[str, list[ChainGroup]] = {}
    for group in groups:
        if len(group.representatives) == 1 and not group.final.teachers:
            sorted_out.setdefault(kind_of(group.final, baseline), []).append(group)
    return sorted_out


def missing(present: Collection[str], *, held_out: bool) -> list[str]:
    """The expected kinds that are not present, but for those that need held-out data where there are none."""
    needing = () if held_out else (EARLY_STOPPING, LONGER_STOPPED)
    return [kind for kind in EXPECTED if kind not in present and kind not in needing]
