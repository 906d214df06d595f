"""In which setting a result was found, in words that go beside it."""

from typing import TYPE_CHECKING

from analysis.frames import number
from analysis.groups import Group
from ban_ray.population import Member
from ban_ray.specs import Generation, Recipe, Task, papers_recipe
from ban_ray.tasks.kinds import KINDS

if TYPE_CHECKING:
    from analysis.study import Study

PROTOCOLS = {
    "search": "search protocol (held-out {samples} kept out of training, test {samples} never chosen by)",
    "paper": "paper protocol (trained on all training {samples}, the last epoch on test)",
}


def noise_warning(task: Task) -> str:
    """What must stand beside every figure; empty without label noise."""
    if not task.label_noise:
        return ""
    return f"{100 * task.label_noise:g} % of the training labels were replaced at random: not the papers' setting."


def regime(study: "Study", group: Group) -> str:
    """A group's task, label noise and protocol, with the numbers of images that its members' files tell."""
    member = group.final
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


def unlike_the_papers(spec: Generation) -> list[str]:
    """In what a member's setting differs from the papers' tables of such a task."""
    found = []
    kind = KINDS.get(spec.task.name, KINDS["folder"])
    if not kind.papers_own:
        found.append(f"task {spec.task.name} (theirs: {kind.papers_use})")
    if spec.task.label_noise:
        found.append(f"{100 * spec.task.label_noise:g} % of the training labels replaced at random (theirs: none)")
    if spec.task.protocol != "paper" and kind.held_out_share:
        found.append("held-out images kept out of training (theirs: none held out)")
    theirs = papers_recipe(spec.network)
    for field in Recipe.model_fields:
        mine, papers = getattr(spec.recipe, field), getattr(theirs, field)
        if mine != papers and field != "workers":
            found.append(f"{field.replace('_', ' ')} {mine} (theirs: {papers})")
    return found
