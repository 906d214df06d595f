"""What somebody who is given a network has to know of its inputs, in words, code and files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ban_ray.specs import Task
from ban_ray.tasks.catalog import TASK_TYPES
from ban_ray.tasks.dataset import DataSet
from ban_ray.tasks.text_dataset import END, UNKNOWN, TextDataset

VOCABULARY = "vocabulary.json"


@dataclass(frozen=True)
class InputDescription:
    """What a network takes and makes.

    Attributes:
        shapes: of a call, in prose.
        note: how its inputs come about.
        code: Python that makes them.
        files: texts by name, to lie beside the weights.
    """

    classes: int
    channels: int
    shapes: str
    note: str
    code: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


def describe_inputs(task: Task, data_set: DataSet | None, classes: int, channels: int) -> InputDescription:
    """Of a task's networks; None where its data are not at hand, in which case the numbers are not given."""
    if isinstance(data_set, TextDataset) or (task.name in TASK_TYPES and TASK_TYPES[task.name].text):
        return _of_text(data_set if isinstance(data_set, TextDataset) else None, classes, channels)
    shapes = f"(n, {channels}, height, width) to logits (n, {classes})"
    if data_set is None:
        note = (
            "Images were brought to mean 0 and standard deviation 1 in each channel over the training part; the data "
            "were not at hand when this was exported, so the numbers are not given."
        )
        return InputDescription(classes, channels, shapes, note)
    import torch

    from ban_ray.tasks.image_data import load_images

    images = load_images(task, data_set, torch.device("cpu"))
    scale, shift = (tuple(float(value) for value in part.flatten()) for part in (images.scale, images.shift))
    note = "Images are bytes; `normalise` in `load.py` brings them to what the network was trained on."
    code = f'''

def normalise(images: torch.Tensor) -> torch.Tensor:
    """(n, height, width, channels) bytes to the (n, channels, height, width) floats that the network takes."""
    scale, shift = (torch.tensor(values).view(-1, 1, 1) for values in ({scale!r}, {shift!r}))
    return images.permute(0, 3, 1, 2).float() * scale + shift
'''
    return InputDescription(classes, channels, shapes, note, code)


def _of_text(corpus: TextDataset | None, classes: int, channels: int) -> InputDescription:
    shapes = f"tokens (steps, n) to logits (steps * n, {classes}), step by step, going on where the last call ended"
    note = f"Tokens are numbers of a vocabulary, {END} after every line and {UNKNOWN} for what it does not have; "
    if corpus is None:
        return InputDescription(
            classes, channels, shapes, f"{note}the data were not at hand when this was exported, so it is not given."
        )
    files = {VOCABULARY: json.dumps(corpus.vocabulary, ensure_ascii=False)}
    return InputDescription(
        classes, channels, shapes, f"{note}`{VOCABULARY}` has it, in the order of the numbers.", "", files
    )
