"""In which setting a result was found, in words that go beside it."""

from collections.abc import Iterable
from math import isnan

from analysis.data.chain_groups import ChainGroup
from analysis.data.frames import number
from analysis.data.study import Study
from ban_ray.population import Member
from ban_ray.specs import Recipe, Task, papers_recipe
from ban_ray.tasks.catalog import task_type

PROTOCOLS = {
    "search": "search protocol (held-out {samples} kept out of training, test {samples} never chosen by)",
    "paper": "paper protocol (trained on all training {samples}, the last epoch on test)",
}


def noise_warning(task: Task) -> str:
    """What must stand beside every figure of a task; empty without label noise."""
    if not task.label_noise:
        return ""
    return f"{100 * task.label_noise:g} % of the training labels were replaced at random: not the papers' setting."


def noise_warnings(tasks: Iterable[Task]) -> list[str]:
    """The same where rows of several tasks stand together: whom each warning concerns."""
    found = list(dict.fromkeys(tasks))
    if len({task.label_noise for task in found}) < 2:
        return sorted({warning for task in found if (warning := noise_warning(task))})
    levels = {task.name: {other.label_noise for other in found if other.name == task.name} for task in found}
    return sorted(
        {
            f"{task.name}{' where so named' if len(levels[task.name]) > 1 else ''}: {warning}"
            for task in found
            if (warning := noise_warning(task))
        }
    )


def regime(study: Study, group: ChainGroup) -> str:
    """A group's task, label noise and protocol, with the numbers of images that its members' files tell."""
    member = group.last_member
    spec = member.generation
    parts = [spec.task.name]
    samples = group.metric.samples
    training = samples_an_epoch(member)
    if training:
        parts.append(f"{training:,.0f} training {samples} an epoch")
    stored = study.read_predictions(member.key)
    if stored is not None:
        parts.append(f"{len(stored.held_out_labels):,} held-out and {len(stored.test_labels):,} test {samples}")
    noise = spec.task.label_noise
    parts.append(f"{100 * noise:g} % of the training labels replaced at random" if noise else "clean labels")
    parts.append(PROTOCOLS[spec.task.protocol].format(samples=samples))
    return "; ".join(parts)


def samples_an_epoch(member: Member) -> float | None:
    """Training samples that an epoch reads (a last partial batch is dropped), from provenance; None if unknown."""
    seen = number(member.provenance.get("images_seen"))
    return seen / member.generation.recipe.epochs if seen > 0 else None


def unlike_the_papers(member: Member) -> list[str]:
    """In what a member's setting differs from the papers' tables of such a task."""
    spec, noted = member.generation, member.provenance
    found = []
    kind = task_type(spec.task.name)
    if not kind.papers_samples:
        found.append(f"task {spec.task.name} (theirs: {kind.papers_use})")
    else:
        held_out = number(noted.get("held_out_images")) if kind.held_out_share else 0.0
        mine = (number(noted.get("training_images")) + held_out, number(noted.get("test_images")))
        if mine != kind.papers_samples:
            told, theirs = (_samples(counts, kind.samples) for counts in (mine, kind.papers_samples))
            found.append(f"{told} (theirs: {theirs})")
    if spec.task.label_noise:
        found.append(f"{100 * spec.task.label_noise:g} % of the training labels replaced at random (theirs: none)")
    if spec.task.protocol != "paper" and kind.held_out_share:
        found.append("held-out images kept out of training (theirs: none held out)")
    recipe = papers_recipe(spec.network)
    for field in Recipe.model_fields:
        chosen, papers = getattr(spec.recipe, field), getattr(recipe, field)
        if chosen != papers and field != "workers":
            found.append(f"{field.replace('_', ' ')} {chosen} (theirs: {papers})")
    return found


def _samples(counts: tuple[float, ...], what: str) -> str:
    """Numbers of training and test samples in words."""
    training, test = ("an unknown number of" if isnan(count) else f"{count:,.0f}" for count in counts)
    return f"{training} training and {test} test {what}"
