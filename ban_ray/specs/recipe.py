"""Recipes: optimiser, schedule, batches and precision of a generation's training."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ban_ray.augmentations import Pipeline
from ban_ray.specs.base import Spec


class Recipe(Spec):
    """A recipe, by default Wide-ResNet's, which both papers use on CIFAR (Zagoruyko and Komodakis 2016).

    The optimiser is SGD with Nesterov momentum, no dampening, and weight decay on every parameter. The learning rate
    is multiplied by `learning_rate_factor` when the given parts of the epochs have passed. Language models drop it by
    their held-out perplexity, unroll in time, and clip their gradients (ICML 2018, Penn Treebank).

    Attributes:
        batch_size: global; N workers take ``batch_size / N`` samples each.
        learning_rate_drops: parts of `epochs`, between 0 and 1, increasing.
        precision: ``fp32`` is true fp32 on a GPU too; ``tf32`` is for GPUs; ``bf16`` is autocast with
            parameters, batch-norm statistics and losses in fp32.
        workers: processes that share each batch.
        unroll: steps of truncated backpropagation through time; the steps' losses are summed. 1 for images.
        clip: the largest norm of the gradient over all parameters; None for no limit.
        teacher_outputs: ``cached`` rounds teachers' outputs to half precision and computes those of a view only once.
        augmentation: of images, as `ban_ray.augmentations.Pipeline` reads it: ``default`` is the task's own crop and
            mirroring.
        plateau: if given, the learning rate is also multiplied by `learning_rate_factor` after every epoch whose
            held-out perplexity is not lower than that of the epoch before by at least this much.
    """

    epochs: Annotated[int, Field(ge=1)] = 200
    batch_size: Annotated[int, Field(ge=1)] = 128
    learning_rate: Annotated[float, Field(gt=0)] = 0.1
    learning_rate_drops: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.3, 0.6, 0.8)
    learning_rate_factor: Annotated[float, Field(gt=0)] = 0.2
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    precision: Literal["fp32", "tf32", "bf16"] = "fp32"
    workers: Annotated[int, Field(ge=1)] = 1
    unroll: Annotated[int, Field(ge=1)] = 1
    clip: Annotated[float, Field(gt=0)] | None = None
    plateau: Annotated[float, Field(ge=0)] | None = None
    teacher_outputs: Literal["online", "cached"] = "online"
    augmentation: Annotated[str, AfterValidator(lambda text: str(Pipeline.parse(text)))] = "default"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.batch_size % self.workers:
            raise ValueError(
                f"workers = {self.workers} do not divide the batch size {self.batch_size}; "
                "the batch size is global and must be a multiple of the workers"
            )
        if list(self.learning_rate_drops) != sorted(set(self.learning_rate_drops)):
            raise ValueError(f"learning_rate_drops = {self.learning_rate_drops} must increase")
        if self.teacher_outputs == "cached" and not Pipeline.parse(self.augmentation).has_countable_views:
            raise ValueError(
                f"teacher_outputs = cached needs augmentation = default, not {self.augmentation}, which makes too many "
                "views of a sample"
            )
        if self.unroll > 1 and self.augmentation != "default":
            raise ValueError(f"augmentation = {self.augmentation} is for images, and the recipe unrolls text")
        return self

    @property
    def rung_epoch(self) -> int | None:
        """The first epoch, counted from 1, at the last learning rate; None if it is the last epoch or beyond."""
        if not self.learning_rate_drops:
            return None
        epoch = ceil(round(self.learning_rate_drops[-1] * self.epochs, 9)) + 1
        return epoch if epoch < self.epochs else None

    def learning_rate_at(self, epoch: int, perplexities: Sequence[float] = ()) -> float:
        """The learning rate of an epoch, counted from 0: dropped once `epoch >= part * epochs`, and by `plateau`.

        Args:
            perplexities: held-out ones of the earlier epochs; read if there is a `plateau`.
        """
        # Exact arithmetic on the rounded product: 0.3 * 200 must be 60, not 60.000000000000004.
        drops = sum(epoch >= round(part * self.epochs, 9) for part in self.learning_rate_drops)
        if self.plateau is not None:
            drops += sum(not (new < old and old - new >= self.plateau) for old, new in pairwise(perplexities[:epoch]))
        return float(self.learning_rate * self.learning_rate_factor**drops)
