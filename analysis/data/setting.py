"""The setting of a result in words: task, label noise, protocol, and what differs from the papers'."""

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
    """The warning that belongs beside every figure of a task; empty without label noise."""
    return f"{task.noise}: not the papers' setting." if task.noise else ""


def noise_warnings(tasks: Iterable[Task]) -> list[str]:
    """The warnings of several tasks, with the tasks that each is about where it is not about all."""
    distinct = list(dict.fromkeys(tasks))
    if len({task.noise for task in distinct}) < 2:
        return sorted({warning for task in distinct if (warning := noise_warning(task))})
    levels = {task.name: {other.noise for other in distinct if other.name == task.name} for task in distinct}
    return sorted(
        {
            f"{task.name}{' where so named' if len(levels[task.name]) > 1 else ''}: {warning}"
            for task in distinct
            if (warning := noise_warning(task))
        }
    )


def regime(study: Study, group: ChainGroup) -> str:
    """A group's task, label noise and protocol, with the numbers of images in its members' files."""
    member = group.last_member
    spec = member.generation
    parts = [spec.task.name]
    samples = group.metric.sample_noun
    training = samples_an_epoch(member)
    if training:
        parts.append(f"{training:,.0f} training {samples} an epoch")
    stored = study.read_predictions(member.key)
    if stored is not None:
        parts.append(f"{len(stored.held_out_labels):,} held-out and {len(stored.test_labels):,} test {samples}")
    parts.append(spec.task.noise or "clean labels")
    if spec.task.mirroring:
        parts.append(spec.task.mirroring)
    if spec.task.normalisation:
        parts.append(spec.task.normalisation)
    if spec.initial_weights:
        parts.append(f"each generation starts from weights {spec.initial_weights[:12]}")
    parts.append(PROTOCOLS[spec.task.protocol].format(samples=samples))
    return "; ".join(parts)


def samples_an_epoch(member: Member) -> float | None:
    """Training samples that an epoch reads (a last partial batch is dropped), from provenance; None if unknown."""
    seen = number(member.provenance.get("images_seen"))
    return seen / member.generation.recipe.trained_epochs if seen > 0 else None


def unlike_the_papers(member: Member) -> list[str]:
    """Differences of a member's setting from the papers' tables of such a task."""
    spec, provenance = member.generation, member.provenance
    differences = []
    kind = task_type(spec.task.name)
    if not kind.papers_samples:
        differences.append(f"task {spec.task.name} (theirs: {kind.papers_use})")
    else:
        held_out = number(provenance.get("held_out_images")) if kind.held_out_share else 0.0
        counts = (number(provenance.get("training_images")) + held_out, number(provenance.get("test_images")))
        if counts != kind.papers_samples:
            used, theirs = (_samples(each, kind.sample_noun) for each in (counts, kind.papers_samples))
            differences.append(f"{used} (theirs: {theirs})")
    if spec.task.noise:
        differences.append(f"{spec.task.noise} (theirs: none)")
    if spec.task.mirroring:
        differences.append(f"{spec.task.mirroring} (theirs: {'not ' if spec.task.flip else ''}mirrored)")
    if spec.task.normalisation:
        differences.append(f"{spec.task.normalisation} (theirs: of the training images)")
    if spec.initial_weights:
        differences.append("started from trained weights (theirs: from random ones)")
    if spec.task.protocol != "paper" and kind.held_out_share:
        differences.append("held-out images kept out of training (theirs: none held out)")
    recipe = papers_recipe(spec.network)
    for field in Recipe.model_fields:
        chosen, papers = getattr(spec.recipe, field), getattr(recipe, field)
        if chosen != papers and field != "workers":
            differences.append(f"{field.replace('_', ' ')} {chosen} (theirs: {papers})")
    return differences


def _samples(counts: tuple[float, ...], what: str) -> str:
    """Numbers of training and test samples in words."""
    training, test = ("an unknown number of" if isnan(count) else f"{count:,.0f}" for count in counts)
    return f"{training} training and {test} test {what}"
