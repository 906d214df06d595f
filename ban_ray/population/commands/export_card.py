"""The card of an exported member, in Markdown, and the code that loads it."""

from collections.abc import Sequence

from ban_ray.population.imported import ImportedGeneration
from ban_ray.population.lineage import Ancestor
from ban_ray.population.member import Member
from ban_ray.specs import Recipe
from ban_ray.tasks.catalog import metric_of
from ban_ray.tasks.task_type import InputDescription

WEIGHTS, RECORD_COPY, CARD, LOADER = "weights.safetensors", "member.json", "README.md", "load.py"


def loader(member: Member, inputs: InputDescription) -> str:
    """Python that builds the network and loads the weights that lie beside it."""
    spec = member.generation
    version = f", version={spec.network_version!r}" if spec.network_version else ""
    return f'''"""Load the exported network; needs ban_ray."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from ban_ray.networks import build, load_into


def load() -> torch.nn.Module:
    """In evaluation mode: {inputs.shapes}."""
    network = build({spec.network!r}, {inputs.classes}, {inputs.channels}, {spec.network_arguments or None!r}{version})
    load_into(network, load_file(Path(__file__).with_name({WEIGHTS!r})), {WEIGHTS!r}, {spec.network!r})
    return network.eval()
{inputs.code}

if __name__ == "__main__":
    print(sum(parameter.numel() for parameter in load().parameters()), "parameters")
'''


def card(member: Member, line: Sequence[Ancestor], inputs: InputDescription) -> str:
    """The card, in Markdown."""
    spec, metrics, metric = member.generation, member.metrics, metric_of(member.generation.task)
    held_out = (
        "none; no samples were kept out of training"
        if metrics.held_out_error is None
        else f"{metric.format_member(member, 'held_out')} (log-likelihood {metrics.held_out_log_likelihood:.4f} nats)"
    )
    return f"""# {_plain(spec.network)} on {_plain(spec.task.name)}

| | |
|---|---|
| key | `{member.key}` |
| network | `{_plain(spec.network)}`, {member.parameters:,} parameters |
| task | `{_plain(spec.task.name)}`, data `{spec.task.fingerprint}`, {member.split}, \
{spec.task.noise or "clean labels"}{spec.task.mirroring and f", {spec.task.mirroring}"}\
{spec.task.normalisation and f", {spec.task.normalisation}"} |
| {_training(member)} |
| test {metric.name} | {metric.format_member(member)} (log-likelihood {metrics.test_log_likelihood:.4f} nats) |
| held-out {metric.name} | {held_out} |

{inputs.note}

## Lineage

From the root; each was taught by those named beside it.

{_lineage(line)}

## Load

```python
from load import load

network = load()
```

`{RECORD_COPY}` is the member's record, with the versions and the hardware it was made with.

## Licence

This export gives no licence for the weights: whoever trained them does, within the terms of the data they were trained
on. The code that loads them is ban_ray's, under Apache-2.0.
"""


def _training(member: Member) -> str:
    spec = member.generation
    if isinstance(spec, ImportedGeneration):
        split = "the task's, as its owner says" if spec.imported.split_declared else "not known"
        return f"training | elsewhere; its samples are {split}"
    recipe = spec.recipe
    return (
        f"training | {spec.objective}, {recipe.trained_epochs} epochs, batch size {recipe.batch_size}, learning rate "
        f"{recipe.learning_rate:g}, weight decay {recipe.weight_decay:g}, {recipe.precision}, seed {spec.seed}"
        + _changes(recipe)
        + (f", started from weights `{spec.initial_weights}`" if spec.initial_weights else "")
    )


def _changes(recipe: Recipe) -> str:
    """The later fields of a recipe that differ from their defaults, as the end of a list."""
    changed = recipe.model_dump(mode="json", exclude_defaults=True, exclude=set(Recipe.FIRST_FIELDS))
    texts = (f", {name.replace('_', ' ')} {value}" for name, value in changed.items())
    return _plain("".join(texts))


def _lineage(line: Sequence[Ancestor]) -> str:
    rows = ["| member | network | taught by | test | |", "|---|---|---|---|---|"]
    for ancestor in line:
        network = teachers = error = ""
        if (member := ancestor.member) is not None:
            network = f"`{_plain(member.generation.network)}`"
            teachers = ", ".join(f"`{key[:12]}`" for key in member.generation.teachers)
            error = metric_of(member.generation.task).format_member(member)
        rows.append(f"| `{ancestor.key[:12]}` | {network} | {teachers} | {error} | {_plain(ancestor.note)} |")
    return "\n".join(rows)


def _plain(text: str) -> str:
    """A text that cannot end its cell of a table."""
    return "".join(character if character.isprintable() and character not in "`|<>" else "?" for character in text)
