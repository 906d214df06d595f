"""Tasks of text: tokens that are predicted from those before them."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ban_ray.errors import UserError
from ban_ray.tasks.task_type import InputDescription, Sizes, TaskType

if TYPE_CHECKING:
    import torch

    from ban_ray.evaluation.metrics import Metric
    from ban_ray.specs import Task
    from ban_ray.tasks.text_data import TextData
    from ban_ray.tasks.text_dataset import TextDataset

VOCABULARY = "vocabulary.json"


@dataclass(frozen=True, kw_only=True)
class TextTask(TaskType["TextDataset"]):
    """A text whose validation part is held out under both protocols; nothing is augmented."""

    papers_use: ClassVar[str] = "Penn Treebank"
    sample_noun: ClassVar[str] = "tokens"
    unrolls: ClassVar[bool] = True

    def metric(self, task: "Task") -> "Metric":
        """Perplexity of words, bits of a character."""
        from ban_ray.evaluation.metrics import BITS, PERPLEXITY

        return BITS if task.tokens == "char" else PERPLEXITY

    def load(self, fingerprint: str) -> "TextDataset":
        from ban_ray.tasks.text_dataset import load_text_dataset

        return load_text_dataset(fingerprint)

    def sizes(self, task: "Task", dataset: "TextDataset") -> Sizes:
        for option, value in (("--label-noise", task.label_noise), ("--split-seed", task.split_seed)):
            if value:
                raise UserError(
                    f"{option} {value:g} has no effect: task {task.name} has a validation text and no noise"
                )
        if task.flip is not None:
            raise UserError(f"--{'' if task.flip else 'no-'}flip has no effect: task {task.name} has no images")
        if task.normalise is not None:
            raise UserError(f"task.normalise has no effect: task {task.name} has no images")
        return Sizes(len(dataset.train), len(dataset.valid), len(dataset.test))

    def views(self, task: "Task", dataset: "TextDataset", sizes: Sizes) -> int:
        return 0

    def augmentation(self, task: "Task", dataset: "TextDataset") -> str:
        return "none"

    def to_device(self, task: "Task", dataset: "TextDataset", device: "torch.device") -> "TextData":
        from ban_ray.tasks.text_data import load_text

        return load_text(task, dataset, device)

    def fits_in_memory(self, dataset: "TextDataset", free_bytes: int) -> bool:
        return True

    def describe_inputs(
        self, task: "Task", dataset: "TextDataset | None", classes: int, channels: int
    ) -> InputDescription:
        from ban_ray.tasks.text_dataset import END, UNKNOWN

        shapes = f"tokens (steps, n) to logits (steps * n, {classes}), step by step, continuing the last call"
        note = f"Tokens are numbers of a vocabulary, with {END} after every line and {UNKNOWN} for other words; "
        if dataset is None:
            note += "the data could not be read when this was exported, so it is not given."
            return InputDescription(classes, channels, shapes, note)
        note += f"`{VOCABULARY}` lists it in the order of the numbers."
        files = {VOCABULARY: json.dumps(dataset.vocabulary, ensure_ascii=False)}
        return InputDescription(classes, channels, shapes, note, files=files)
