"""An exported member told in words, and the code that loads it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ban_ray.population.imported import ImportedGeneration
from ban_ray.population.lineage import Ancestor
from ban_ray.population.member import Member

WEIGHTS, RECORD_COPY, CARD, LOADER = "weights.safetensors", "member.json", "README.md", "load.py"


@dataclass(frozen=True)
class Inputs:
    """What a network takes and makes.

    Attributes:
        scale, shift: for each channel; bytes times scale plus shift are what the network was trained on; None where
            the data were not at hand.
    """

    classes: int
    channels: int
    scale: tuple[float, ...] | None
    shift: tuple[float, ...] | None


def loader(member: Member, inputs: Inputs) -> str:
    """Python that builds the network and loads the weights that lie beside it."""
    spec = member.generation
    normalise = ""
    if inputs.scale is not None:
        normalise = f'''

def normalise(images: torch.Tensor) -> torch.Tensor:
    """(n, height, width, channels) bytes to the (n, channels, height, width) floats that the network takes."""
    scale, shift = (torch.tensor(values).view(-1, 1, 1) for values in ({inputs.scale!r}, {inputs.shift!r}))
    return images.permute(0, 3, 1, 2).float() * scale + shift
'''
    return f'''"""Load the exported network; needs ban_ray."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from ban_ray.networks import build


def load() -> torch.nn.Module:
    """In evaluation mode: (n, {inputs.channels}, height, width) to logits (n, {inputs.classes})."""
    network = build({spec.network!r}, {inputs.classes}, {inputs.channels}, {spec.network_arguments or None!r})
    network.load_state_dict(load_file(Path(__file__).with_name({WEIGHTS!r})))
    return network.eval()
{normalise}

if __name__ == "__main__":
    print(sum(parameter.numel() for parameter in load().parameters()), "parameters")
'''


def card(member: Member, line: Sequence[Ancestor], inputs: Inputs) -> str:
    """The card, in Markdown."""
    spec, metrics = member.generation, member.metrics
    held_out = (
        "none; no samples were kept out of training"
        if metrics.held_out_error is None
        else f"{metrics.held_out_error:.2f} % (log-likelihood {metrics.held_out_log_likelihood:.4f} nats)"
    )
    scale = (
        "Images are bytes; `normalise` in `load.py` brings them to what the network was trained on."
        if inputs.scale is not None
        else "Images were brought to mean 0 and standard deviation 1 in each channel over the training part; the data "
        "were not at hand when this was exported, so the numbers are not given."
    )
    return f"""# {_plain(spec.network)} on {_plain(spec.task.name)}

| | |
|---|---|
| key | `{member.key}` |
| network | `{_plain(spec.network)}`, {member.parameters:,} parameters |
| task | `{_plain(spec.task.name)}`, data `{spec.task.fingerprint}`, protocol {spec.task.protocol}, \
split seed {spec.task.split_seed}, label noise {spec.task.label_noise:g} |
| {_training(member)} |
| test error | {metrics.test_error:.2f} % (log-likelihood {metrics.test_log_likelihood:.4f} nats) |
| held-out error | {held_out} |

{scale}

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
        f"training | {spec.objective}, {recipe.epochs} epochs, batch size {recipe.batch_size}, learning rate "
        f"{recipe.learning_rate:g}, weight decay {recipe.weight_decay:g}, {recipe.precision}, seed {spec.seed}"
    )


def _lineage(line: Sequence[Ancestor]) -> str:
    rows = ["| member | network | taught by | test error | |", "|---|---|---|---|---|"]
    for one in line:
        network = teachers = error = ""
        if one.member is not None:
            network = f"`{_plain(one.member.generation.network)}`"
            teachers = ", ".join(f"`{key[:12]}`" for key in one.member.generation.teachers)
            error = f"{one.member.metrics.test_error:.2f} %"
        rows.append(f"| `{one.key[:12]}` | {network} | {teachers} | {error} | {_plain(one.note)} |")
    return "\n".join(rows)


def _plain(text: str) -> str:
    """A text that cannot break out of its place in a table."""
    return "".join(character if character.isprintable() and character not in "`|<>" else "?" for character in text)
