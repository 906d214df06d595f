"""A text on the training device: streams of tokens that continue from batch to batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ban_ray.evaluation.predictions import TokenOutputs
from ban_ray.specs import Generation, Task
from ban_ray.tasks.batches import Batch, steps_per_epoch
from ban_ray.tasks.task_data import Part, TaskData
from ban_ray.tasks.text_dataset import END, TextDataset, Tokens

EVALUATION_STREAMS = 16
"""Parts of a text that are read in parallel, each from an empty state."""

EVALUATION_STEPS = 35


@dataclass(frozen=True, kw_only=True)
class TextData(TaskData):
    """A text on a device, each token of which is the label of the one before it; `end` is the input of the first.

    Attributes:
        end: number of the token that ends a line.
    """

    end: int
    corpus: TextDataset

    @property
    def views(self) -> int:
        """0: a token's output depends on all tokens before it."""
        return 0

    def spellings(self) -> Tensor:
        """(vocabulary, length) symbols of each word; see `TextDataset.spellings`."""
        return torch.from_numpy(self.corpus.spellings())

    def training_batches(self, generation: Generation, epoch: int, worker_slice: slice) -> Iterator[Batch]:
        """Tokens (unroll, b) and labels (unroll * b,), step by step, of a worker's part of the streams.

        The text is cut into `batch_size` streams that are read in parallel, the same in every epoch.
        """
        recipe = generation.recipe
        length = len(self.train) // recipe.batch_size
        inputs, labels = (
            tokens[: length * recipe.batch_size].view(recipe.batch_size, length)[worker_slice].t().contiguous()
            for tokens in (self._shifted(self.train), self.train.labels)
        )
        for step in range(steps_per_epoch(self.task, len(self.train), recipe)):
            rows = slice(step * recipe.unroll, (step + 1) * recipe.unroll)
            yield Batch(inputs[rows], labels[rows].flatten())

    def evaluation_batches(self, part: Part) -> Iterator[tuple[Tensor, Tensor]]:
        """Tokens (t, streams) and labels (t * streams,) of a whole part, for `concat_outputs`."""
        streams = min(EVALUATION_STREAMS, len(part))
        length = -(-len(part) // streams) if streams else 0
        lacking = length * streams - len(part)
        inputs, labels = (
            torch.nn.functional.pad(tokens, (0, lacking), value=self.end).view(streams, length).t().contiguous()
            for tokens in (self._shifted(part), part.labels)
        )
        for rows, true in zip(
            torch.split(inputs, EVALUATION_STEPS), torch.split(labels, EVALUATION_STEPS), strict=True
        ):
            yield rows, true.flatten()

    def reduce_outputs(self, log_probabilities: Tensor, labels: Tensor) -> Tensor:
        """(n, vocabulary) to (n, 3) float64: the log-probability of the true token, the largest one, and its token."""
        top, predicted = log_probabilities.max(1)
        of_label = log_probabilities.gather(1, labels[:, None])[:, 0]
        return torch.stack([of_label.double(), top.double(), predicted.double()], 1)

    def concat_outputs(self, reduced: Sequence[Tensor], part: Part) -> Tensor:
        """The reduced outputs in the text's order: (len(part), 3) on the CPU."""
        streams = min(EVALUATION_STREAMS, len(part))
        return torch.cat([*reduced]).view(-1, streams, 3).transpose(0, 1).reshape(-1, 3)[: len(part)].cpu()

    def to_stored(self, outputs: Tensor) -> TokenOutputs:
        """float32 log-probabilities and int64 tokens."""
        label, top, predicted = outputs.unbind(1)
        return TokenOutputs(label.float().numpy(), predicted.long().numpy(), top.float().numpy())

    def _shifted(self, part: Part) -> Tensor:
        return torch.cat([part.labels.new_tensor([self.end]), part.labels[:-1]])


def load_text(task: Task, corpus: TextDataset, device: torch.device) -> TextData:
    """Put a corpus on a device."""

    def part(tokens: Tokens) -> Part:
        return Part(torch.from_numpy(tokens.astype("int64")).to(device))

    return TextData(
        task=task.name,
        train=part(corpus.train),
        held_out=part(corpus.valid),
        test=part(corpus.test),
        num_classes=corpus.num_classes,
        in_channels=corpus.in_channels,
        sample_shape=corpus.sample_shape,
        end=corpus.vocabulary.index(END),
        corpus=corpus,
    )
