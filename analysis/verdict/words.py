"""A verdict as at most five lines, and as JSON values."""

from typing import Any

from analysis.statistics.crossed_interval import CrossedInterval
from analysis.statistics.wording import basis, interval_text
from analysis.verdict.choice import Choice
from analysis.verdict.generations import Generations
from analysis.verdict.power import MOST_SEEDS, Needed
from analysis.verdict.selection import CLAIM_LEVEL
from analysis.verdict.verdict import Deployment, Verdict

_SHAPES = {
    "gain": "the last one trained is the best, so more may gain more",
    "saturation": "further generations add nothing distinguishable",
    "collapse": "further generations lose it again",
    "loss": "generations make it worse",
    "nothing distinguishable": "generations change nothing distinguishable",
}


def lines_of(verdict: Verdict) -> list[str]:
    """At most five sentences for a terminal."""
    lines = []
    if verdict.network is None:
        lines.append("Verdict: none, since nothing was held out to choose by; --protocol search holds data out.")
    else:
        lines.append(f"One network: {_chosen(verdict.network, verdict)}")
        lines.append(f"Self-distillation beyond tuning and averaging: {_added(verdict.network, verdict)}")
    if verdict.ensemble is not None:
        ensemble = verdict.ensemble
        compared = f" Generations against independent networks: {_added(ensemble, verdict)}" if ensemble.added else ""
        lines.append(f"An ensemble: {_chosen(ensemble, verdict)}{compared}")
    if verdict.generations is not None:
        lines.append(_number(verdict.generations, verdict.metric.points))
    if open_text := " ".join(filter(None, [*_open(verdict), _missing(verdict)])):
        lines.append(f"Open: {open_text}")
    return lines


def as_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict as JSON values: errors in the metric's unit, differences in its points.

    Intervals are of 95 %, those of ``distillation`` of 97.5 %. ``open`` has what data of this size cannot tell, with
    the seeds or test samples that would, and its ``command``. The last ``command`` repeats the search with the recipe
    of the chosen network; it is empty if that is the baseline's.
    """
    return {
        "lines": lines_of(verdict),
        "network": _deployment_json(verdict.network, verdict),
        "ensemble": _deployment_json(verdict.ensemble, verdict),
        "generations": _generations_json(verdict.generations),
        "missing": list(verdict.missing),
        "command": _recipe_changes(verdict),
    }


def _chosen(deployment: Deployment, verdict: Verdict) -> str:
    """The choice, its cost and error, and what it gains on the baseline."""
    metric, choice = verdict.metric, deployment.choice
    against = deployment.against_baseline
    gain = f", {interval_text(against, metric.points)} against the baseline ({basis(against)})" if against else ""
    text = f"train {_name(choice)}: test {metric.name} {metric.text(deployment.error)}{gain}."
    if not deployment.better:
        return f"{text} Nothing at hand beats it distinguishably."
    other, interval = deployment.better[0]
    more = f", and {len(deployment.better) - 1} more are better" if len(deployment.better) > 1 else ""
    return (
        f"{text} Held-out data cannot tell anything better from it, but on test {_name(other)} is better, "
        f"{interval_text(interval, metric.points)}{more}."
    )


def _added(deployment: Deployment, verdict: Verdict) -> str:
    added = deployment.added
    if added is None:
        return "not compared, since there is no distilled choice or none without distillation that costs no more."
    interval = added.interval
    number = len(added.first)
    often = f", the student on the others' in {added.times_chosen} of {number} seeds" if number > 1 else ""
    found = "nothing distinguishable, " if not interval.distinguishable else "a loss, " if interval.low > 0 else ""
    return (
        f"{found}{interval_text(interval, verdict.metric.points)}, {_name(added.distilled)} against "
        f"{_name(added.undistilled)}, {100 * CLAIM_LEVEL:g} % interval, {basis(interval)}; held-out data chose both"
        f"{often}."
    )


def _number(generations: Generations, points: str) -> str:
    which = f"{generations.number}" + (
        f" (95 % interval {generations.low} to {generations.high})" if generations.low < generations.high else ""
    )
    gain = f", {interval_text(generations.gain, points)} on test" if generations.gain else ""
    after = (
        f", {interval_text(generations.after, points)} at generation {generations.last}" if generations.after else ""
    )
    return (
        f"Generations by {generations.name}: held-out data choose {which} of {generations.last}{gain}; "
        f"{_SHAPES[generations.shape]}{after}."
    )


def _open(verdict: Verdict) -> list[str]:
    """Whether all of it is so with a recipe that proved better, else the first comparison that is open, and what would
    settle it."""
    if changes := _recipe_changes(verdict):
        return [f"what generations and ensembles gain with that recipe, which they did not have: {changes}."]
    for what, deployment in (("one network", verdict.network), ("an ensemble", verdict.ensemble)):
        if deployment is None or deployment.added is None or deployment.added.interval.distinguishable:
            continue
        return [f"whether self-distillation adds to {what}: {_settled(deployment, verdict)}."]
    return []


def _recipe_changes(verdict: Verdict) -> str:
    """The command that repeats the search with the recipe of the chosen network; empty if that is the baseline's."""
    changes = verdict.network.choice.recipe if verdict.network else {}
    settings = " ".join(f"--set recipe.{name}={value:g}" for name, value in changes.items())
    return f"{verdict.command or 'the same search'} {settings}" if settings else ""


def _settled(deployment: Deployment, verdict: Verdict) -> str:
    found = deployment.needed
    if found is None:
        return f"one seed cannot tell; repeat it with more: {_command(verdict, 3)}"
    added = deployment.added
    seen = abs(added.interval.estimate) if added else 0.0
    size = f"a difference as large as the one seen, {seen:.2g} {verdict.metric.points}"
    if found.seeds is not None:
        return f"{found.seeds} seeds find {size}, in 80 % of repetitions: {_command(verdict, found.seeds)}"
    if found.images is not None:
        samples = verdict.metric.sample_noun
        return f"more seeds do not find {size}; about {found.images:,} test {samples} would"
    return f"more than {MOST_SEEDS} seeds would be needed for {size}"


def _command(verdict: Verdict, seeds: int) -> str:
    return f"{verdict.command or 'the same search'} --seeds {','.join(map(str, _seeds(verdict, seeds)))}"


def _seeds(verdict: Verdict, count: int) -> list[int]:
    """The seeds that there are, and the next ones."""
    seeds = list(verdict.seeds)
    further = (seed for seed in range(count + len(seeds)) if seed not in verdict.seeds)
    return [*seeds, *(next(further) for _ in range(count - len(seeds)))]


def _missing(verdict: Verdict) -> str:
    return f"Not compared with: {', '.join(verdict.missing)}." if verdict.missing else ""


def _name(choice: Choice) -> str:
    return f"`{choice.name}` ({choice.cost:.3g}x)"


def _deployment_json(deployment: Deployment | None, verdict: Verdict) -> dict[str, Any] | None:
    if deployment is None:
        return None
    added = deployment.added
    return {
        "choice": deployment.choice.name,
        "cost": deployment.choice.cost,
        f"test_{verdict.metric.key}": deployment.error,
        f"held_out_{verdict.metric.key}": deployment.held_out_error,
        "against_baseline": _interval_json(deployment.against_baseline),
        "better_on_test": [
            {"choice": other.name, "cost": other.cost, **(_interval_json(interval) or {})}
            for other, interval in deployment.better
        ],
        "distillation": None
        if added is None
        else {
            "distilled": added.distilled.name,
            "distilled_cost": added.distilled.cost,
            "undistilled": added.undistilled.name,
            "undistilled_cost": added.undistilled.cost,
            "distinguishable": added.interval.distinguishable,
            **(_interval_json(added.interval) or {}),
        },
        "open": _open_json(deployment.needed, verdict),
    }


def _open_json(found: Needed | None, verdict: Verdict) -> dict[str, Any] | None:
    if found is None:
        return None
    command = _command(verdict, found.seeds) if found.seeds is not None else None
    return {"seeds": found.seeds, f"test_{verdict.metric.sample_noun}": found.images, "command": command}


def _interval_json(interval: CrossedInterval | None) -> dict[str, Any] | None:
    if interval is None:
        return None
    return {
        "difference": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "p": interval.p_value,
        "seeds": interval.roots,
        "smallest_detectable": interval.smallest_detectable,
    }


def _generations_json(generations: Generations | None) -> dict[str, Any] | None:
    if generations is None:
        return None
    return {
        "learns_by": generations.name,
        "number": generations.number,
        "low": generations.low,
        "high": generations.high,
        "of": generations.last,
        "shape": generations.shape,
        "gain": _interval_json(generations.gain),
        "after": _interval_json(generations.after),
    }
