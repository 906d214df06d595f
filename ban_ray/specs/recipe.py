"""Recipes: optimiser, schedule, batches and precision of a generation's training."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ban_ray.augmentations import Pipeline
from ban_ray.specs.base import Spec
from ban_ray.specs.optimisers import registered, validated_arguments
from ban_ray.specs.schedule import Schedule, decayed, warmed_up

LAST_PART = 0.8
"""The part of the epochs after which chains are compared where a falling learning rate has no last drop."""


Count = Annotated[int, Field(ge=1, le=10**9)]
"""Bounded, since no float holds every whole number that a damaged record may have."""


class Recipe(Spec):
    """A recipe, by default Wide-ResNet's, which both papers use on CIFAR (Zagoruyko and Komodakis 2016).

    The optimiser is SGD with Nesterov momentum, no dampening, and weight decay on every parameter. The learning rate
    is multiplied by `learning_rate_factor` when the given parts of the epochs have passed. Language models drop it by
    their held-out perplexity, unroll in time, and clip their gradients (ICML 2018, Penn Treebank).

    A field that the optimiser, the schedule or the averaging does not read is refused if it is given another value
    than its default, so that equal trainings have equal keys.

    Attributes:
        batch_size: global; N workers take ``batch_size / N`` samples each.
        learning_rate_drops: of schedule ``steps``: parts of `epochs`, between 0 and 1, increasing.
        momentum: of optimiser ``sgd``.
        precision: ``fp32`` is true fp32 on a GPU too; ``tf32`` is for GPUs; ``bf16`` is autocast with
            parameters, batch-norm statistics and losses in fp32.
        workers: processes that share each batch.
        unroll: steps of truncated backpropagation through time; the steps' losses are summed. 1 for images.
        clip: the largest norm of the gradient over all parameters; None for no limit.
        teacher_outputs: ``cached`` rounds teachers' outputs to half precision and computes those of a view only once.
        augmentation: of images, as `ban_ray.augmentations.Pipeline` reads it: ``default`` is the task's own crop and
            mirroring.
        plateau: of schedule ``steps``: if given, the learning rate is also multiplied by `learning_rate_factor` after
            every epoch whose held-out perplexity is not lower than that of the epoch before by at least this much.
        optimiser: one of `ban_ray.specs.optimisers.OPTIMISERS`, each as in `torch.optim`.
        optimiser_arguments: of the optimiser, by torch's names; those at their defaults are left out.
        decay: ``matrices`` spares biases, norms and other parameters of less than two dimensions the weight decay.
        schedule: ``steps`` holds the rate for an epoch at least; the others change it in every step.
        warm_up_epochs: epochs, or a part of one, in which the rate rises linearly to the schedule's: of W steps the
            first has a factor of 1 / W, the last one of 1. It is a part of `epochs`.
        final_learning_rate: of ``cosine``, ``linear`` and ``wsd``: the factor at which the rate arrives.
        decay_part: of ``wsd``: the last part of the epochs, in which the rate falls.
        micro_batches: parts into which a worker's batch is cut to save memory; their gradients are added up.
        averaging: what is evaluated and published: the weights (``none``), their exponential moving average over steps
            (``ema``, Polyak and Juditsky 1992), their mean over the ends of epochs (``swa``, Izmailov et al. 2018), or
            those after the epoch of the lowest held-out error (``best``, early stopping).
        ema_decay: of ``ema``: the largest share of the average that a step keeps; step t = 1, 2, ... keeps
            ``min(ema_decay, t / (9 + t))`` (as TensorFlow's moving averages do), so that the start is soon forgotten.
        swa_start: of ``swa``: the part of the epochs after which averaging begins.
        stop_epoch: the epoch, counted from 1, after which the training ends early, at the schedule's learning rate of
            `epochs`; None for all of them. Such networks may teach better (Cho and Hariharan 2019).
        body_learning_rate: the factor of the learning rate for all parameters but the head's, the layer that makes the
            logits (`ban_ray.networks.head`); below 1 a pretrained body moves less than a new head.
    """

    FIRST_FIELDS = frozenset(
        (
            *("epochs", "batch_size", "learning_rate", "learning_rate_drops", "learning_rate_factor", "momentum"),
            *("weight_decay", "precision", "workers", "unroll", "clip", "plateau"),
        )
    )

    epochs: Count = 200
    batch_size: Count = 128
    learning_rate: Annotated[float, Field(gt=0)] = 0.1
    learning_rate_drops: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.3, 0.6, 0.8)
    learning_rate_factor: Annotated[float, Field(gt=0)] = 0.2
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    precision: Literal["fp32", "tf32", "bf16"] = "fp32"
    workers: Count = 1
    unroll: Count = 1
    clip: Annotated[float, Field(gt=0)] | None = None
    plateau: Annotated[float, Field(ge=0)] | None = None
    teacher_outputs: Literal["online", "cached"] = "online"
    augmentation: Annotated[str, AfterValidator(lambda text: str(Pipeline.parse(text)))] = "default"
    optimiser: Annotated[str, AfterValidator(registered)] = "sgd"
    optimiser_arguments: dict[str, Any] = Field(default_factory=dict)
    decay: Literal["all", "matrices"] = "all"
    schedule: Schedule = "steps"
    warm_up_epochs: Annotated[float, Field(ge=0)] = 0.0
    final_learning_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    decay_part: Annotated[float, Field(gt=0, le=1)] = 0.2
    micro_batches: Count = 1
    averaging: Literal["none", "ema", "swa", "best"] = "none"
    ema_decay: Annotated[float, Field(gt=0, lt=1)] = 0.999
    swa_start: Annotated[float, Field(ge=0, lt=1)] = 0.75
    stop_epoch: Count | None = None
    body_learning_rate: Annotated[float, Field(gt=0)] = 1.0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.batch_size % self.workers:
            raise ValueError(
                f"workers = {self.workers} do not divide the batch size {self.batch_size}; "
                "the batch size is global and must be a multiple of the workers"
            )
        if self.batch_size // self.workers % self.micro_batches:
            raise ValueError(
                f"micro_batches = {self.micro_batches} do not divide a worker's batch of "
                f"{self.batch_size // self.workers} samples; they must be equal parts of it"
            )
        if self.micro_batches > 1 and self.unroll > 1:
            raise ValueError(
                f"micro_batches = {self.micro_batches} cannot be used with unroll = {self.unroll}, which carries one "
                "state from batch to batch; 1 is allowed"
            )
        if list(self.learning_rate_drops) != sorted(set(self.learning_rate_drops)):
            raise ValueError(f"learning_rate_drops = {self.learning_rate_drops} must increase")
        if self.teacher_outputs == "cached" and not Pipeline.parse(self.augmentation).has_countable_views:
            raise ValueError(
                f"teacher_outputs = cached needs augmentation = default, not {self.augmentation}, which makes too many "
                "views of a sample"
            )
        if self.stop_epoch is not None and self.stop_epoch >= self.epochs:
            raise ValueError(
                f"stop_epoch = {self.stop_epoch} must be less than epochs = {self.epochs}; leave it out for all epochs"
            )
        if self.unroll > 1 and self.augmentation != "default":
            raise ValueError(f"augmentation = {self.augmentation} is for images, and the recipe unrolls text")
        falling = self.decay_part * self.epochs if self.schedule == "wsd" else 0.0
        left = self.epochs - round(self.warm_up_epochs + falling, 9)
        if self.warm_up_epochs and (left < 0 or (left == 0 and not falling)):
            parts = f" and decay_part = {self.decay_part:g}, which takes {falling:g}," if falling else ""
            raise ValueError(
                f"warm_up_epochs = {self.warm_up_epochs:g}{parts} leave nothing of epochs = {self.epochs}; "
                "the warm-up is a part of the epochs"
            )
        return self

    @model_validator(mode="after")
    def _only_used_fields(self) -> Self:
        """Refuse values that nothing reads; "no momentum" and "no drops" are told where there cannot be any."""
        fields = type(self).model_fields
        for name, owner, owners in _OWNED:
            chosen, value, default = getattr(self, owner), getattr(self, name), fields[name].default
            if chosen in owners or value == default:
                continue
            if not value and name in _MEAN_NOTHING_IF_EMPTY:
                # The same training as with the default has the same key.
                self.__dict__[name] = default
                continue
            raise ValueError(
                f"{name} = {value} belongs to {owner} {' or '.join(owners)}, and the recipe's {owner} is {chosen}"
            )
        self.__dict__["optimiser_arguments"] = validated_arguments(self.optimiser, self.optimiser_arguments)
        return self

    def told_fields(self) -> dict[str, Any]:
        """The fields in JSON that tell a reader what is done: the first ones, but for those nothing reads, and others
        that differ from their defaults."""
        unused = {name for name, owner, owners in _OWNED if getattr(self, owner) not in owners}
        changed = self.model_dump(exclude_defaults=True).keys()
        return self.model_dump(mode="json", include={*(self.FIRST_FIELDS - unused), "teacher_outputs", *changed})

    @property
    def held_out_field(self) -> str:
        """The field, with its value, for which training reads held-out metrics; empty if none does."""
        if self.averaging == "best":
            return "averaging = best"
        return "" if self.plateau is None else f"plateau = {self.plateau:g}"

    @property
    def trained_epochs(self) -> int:
        """The number of epochs that are trained: `stop_epoch` or `epochs`."""
        return self.stop_epoch or self.epochs

    @property
    def drop_rung_epoch(self) -> int | None:
        """The epoch, counted from 1, after which chains are compared; None if it would be the last epoch or beyond.

        The first one at the last learning rate, and None without drops; of ``wsd`` the first in which the rate falls;
        of the other schedules the first of the last fifth.
        """
        if self.schedule == "steps":
            if not self.learning_rate_drops:
                return None
            part = self.learning_rate_drops[-1]
        else:
            part = 1 - self.decay_part if self.schedule == "wsd" else LAST_PART
        epoch = ceil(round(part * self.epochs, 9)) + 1
        return epoch if epoch < self.trained_epochs else None

    @property
    def rate_changes_in_epochs(self) -> bool:
        """Whether steps of one epoch may have different learning rates."""
        return self.schedule != "steps" or self.warm_up_epochs > 0

    def learning_rate_at(
        self, epoch: int, perplexities: Sequence[float] = (), *, step: int = 0, steps: int = 1
    ) -> float:
        """The learning rate of a step; of schedule ``steps`` it is dropped once `epoch >= part * epochs`.

        Args:
            epoch: counted from 0.
            perplexities: held-out ones of the earlier epochs; read if there is a `plateau`.
            step: of the epoch, counted from 0; read if `rate_changes_in_epochs`.
            steps: of each epoch.
        """
        done, warm_up = epoch * steps + step, self.warm_up_epochs * steps
        if self.schedule == "steps":
            # Exact arithmetic on the rounded product: 0.3 * 200 must be 60, not 60.000000000000004.
            drops = sum(epoch >= round(part * self.epochs, 9) for part in self.learning_rate_drops)
            if self.plateau is not None:
                pairs = pairwise(perplexities[:epoch])
                drops += sum(not (new < old and old - new >= self.plateau) for old, new in pairs)
            factor = self.learning_rate_factor**drops
        else:
            factor = decayed(
                self.schedule,
                max(done, warm_up),
                self.epochs * steps,
                final=self.final_learning_rate,
                decay_part=self.decay_part,
                warm_up=warm_up,
            )
        return float(self.learning_rate * factor * warmed_up(done, warm_up))


_OWNED = (
    ("momentum", "optimiser", ("sgd",)),
    ("learning_rate_drops", "schedule", ("steps",)),
    ("learning_rate_factor", "schedule", ("steps",)),
    ("plateau", "schedule", ("steps",)),
    ("final_learning_rate", "schedule", ("cosine", "linear", "wsd")),
    ("decay_part", "schedule", ("wsd",)),
    ("ema_decay", "averaging", ("ema",)),
    ("swa_start", "averaging", ("swa",)),
)
"""Fields that mean something only beside some values of another: field, other field, its values."""

_MEAN_NOTHING_IF_EMPTY = ("momentum", "learning_rate_drops")
