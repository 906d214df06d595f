"""Images on the training device: one tensor of bytes, of which whole batches are augmented at once."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import torch
from torch import Tensor

from ban_ray.augmentations import (
    Augmentation,
    Draws,
    ImageAugmentation,
    MixingAugmentation,
    Pipeline,
    PixelAugmentation,
)
from ban_ray.evaluation.predictions import LogProbabilities
from ban_ray.objectives import MixedLabels
from ban_ray.specs import Generation, Task, derive_seed
from ban_ray.tasks.batches import Batch, copy_to, steps_per_epoch
from ban_ray.tasks.catalog import task_type
from ban_ray.tasks.decoded.image_file import ImageRows, Indices
from ban_ray.tasks.decoded.memory import available_bytes
from ban_ray.tasks.decoded.reading_ahead import read_ahead
from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.tasks.image_task import ImageTask, views_of_sample
from ban_ray.tasks.splits import split
from ban_ray.tasks.task_data import Part, TaskData

EVALUATION_BATCH, GPU_EVALUATION_BATCH = 256, 1024
"""On a GPU many, since a forward pass alone keeps the activations of few layers at once."""

GPU_CHUNK_BYTES = 32 * 2**20
"""Of normalised images that are made at once on a GPU."""


@dataclass(frozen=True)
class ImageStream:
    """Images (n, height, width, channels) uint8 that are read as they are needed: rows (n,) of a file."""

    source: ImageRows
    rows: Indices


@dataclass(frozen=True)
class ImagePart(Part):
    """Labelled images (n, height, width, channels) uint8.

    Attributes:
        images: all of them on the device; of those that are streamed (0, height, width, channels).
        stream: None for images that lie on the device.
    """

    images: Tensor
    stream: ImageStream | None = None

    def read_ahead(self, batches: Sequence[Tensor]) -> Iterator[Tensor | None]:
        """The images of each batch of indices, of a part that is streamed; else None for each."""
        if self.stream is None:
            return repeat(None, len(batches))
        rows = [self.stream.rows[batch.numpy()] for batch in batches]
        return read_ahead(self.stream.source, rows, self.images.device)


@dataclass(frozen=True, kw_only=True)
class ImageData(TaskData):
    """Images on a device.

    Attributes:
        pad, flip: of the augmentation, as in `ImageTask`.
        scale, shift: (channels, 1, 1); pixels times scale plus shift have the training set's mean 0 and
            standard deviation 1 in each channel.
    """

    train: ImagePart
    held_out: ImagePart
    test: ImagePart
    pad: int
    flip: bool
    scale: Tensor
    shift: Tensor

    def normalise(self, images: Tensor) -> Tensor:
        """(b, h, w, c) bytes to (b, c, h, w) floats whose memory is in channels-last order."""
        return images.permute(0, 3, 1, 2).float().mul_(self.scale).add_(self.shift)

    def training_batch(
        self,
        indices: Tensor,
        draws: "CropFlip",
        pad: int | None = None,
        further: Sequence[tuple[Augmentation, Draws]] = (),
        streamed: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Augmented, normalised images (b, c, h, w) and labels (b,) of the given training samples.

        Args:
            pad: other padding than the task's.
            further: augmentations beside crop and mirroring with their draws; those that mix images are left out.
            streamed: (b, h, w, c) the samples themselves, of a part that is streamed.
        """
        images, rows = self.train.images, indices
        if streamed is not None:
            images, rows = streamed, torch.arange(len(indices), device=indices.device)
        images = augment(images, rows, draws, self.pad if pad is None else pad)
        for augmentation, drawn in further:
            if isinstance(augmentation, PixelAugmentation):
                images = augmentation.apply(images, drawn)
        images = self.normalise(images)
        for augmentation, drawn in further:
            if isinstance(augmentation, ImageAugmentation):
                images = augmentation.apply(images, drawn)
        return images, self.train.labels[indices]

    @property
    def views(self) -> int:
        """Crops of all training samples, each mirrored or not."""
        return len(self.train) * views_of_sample(self.pad, self.flip)

    def training_batches(self, generation: Generation, epoch: int, worker_slice: slice) -> Iterator[Batch]:
        """Augmented images (b, c, h, w), labels (b,) and views (b,) of each step, in an order of the epoch's own."""
        batch_size, seed, device = generation.recipe.batch_size, generation.seed, self.train.images.device
        augmentation_seed = seed if generation.augmentation_seed is None else generation.augmentation_seed
        pipeline = Pipeline.parse(generation.recipe.augmentation)
        pad = self.pad if pipeline.crop in (None, True) else 0
        flip = self.flip if pipeline.flip is None else pipeline.flip
        shuffle = torch.Generator().manual_seed(derive_seed(seed, "order", epoch))
        order = torch.randperm(len(self.train), generator=shuffle)
        steps = steps_per_epoch(self.task, len(self.train), generation.recipe)
        batches = order[: steps * batch_size].view(steps, batch_size)[:, worker_slice]
        local = batches.shape[1]

        def draw(augmentation: Augmentation, step: int) -> Draws:
            generator = torch.Generator().manual_seed(
                derive_seed(augmentation_seed, f"augmentation {augmentation.name}", epoch, step)
            )
            return augmentation.draw(generator, batch_size, *self.sample_shape[:2])

        chunks = torch.split(torch.arange(steps), self._batches_at_once(local))
        chosen = [batches[chunk].flatten() for chunk in chunks]
        for chunk, samples, streamed in zip(chunks, chosen, self.train.read_ahead(chosen), strict=True):
            draws = CropFlip.concat(
                sample_crop_flip(augmentation_seed, epoch, step, batch_size, pad, flip)[worker_slice]
                for step in chunk.tolist()
            )
            further = [
                (each, _concat([draw(each, step) for step in chunk.tolist()], worker_slice, device))
                for each in pipeline.further
                if not isinstance(each, MixingAugmentation)
            ]
            images, labels = self.training_batch(copy_to(device, samples), draws.to(device), pad, further, streamed)
            views = self._views(samples, draws)
            for number, step in enumerate(chunk.tolist()):
                rows = slice(number * local, (number + 1) * local)
                batch = Batch(images[rows], labels[rows], views[rows])
                if pipeline.mixing:
                    mixing = pipeline.mixing[
                        derive_seed(augmentation_seed, "mixing", epoch, step) % len(pipeline.mixing)
                    ]
                    batch = mixed(batch, mixing, _concat([draw(mixing, step)], worker_slice, device))
                yield batch

    def _batches_at_once(self, batch_size: int) -> int:
        """Number of batches that are augmented together: on a GPU many, whose kernels are launched once."""
        if self.train.images.device.type == "cpu":
            return 1
        return max(1, GPU_CHUNK_BYTES // (4 * batch_size * math.prod(self.sample_shape)))

    def _views(self, samples: Tensor, draws: "CropFlip") -> Tensor:
        offsets = 2 * self.pad + 1
        crops = (samples * offsets + draws.down) * offsets + draws.right
        return crops * 2 + draws.mirror if self.flip else crops

    def evaluation_batches(self, part: ImagePart) -> Iterator[tuple[Tensor, Tensor]]:
        """Normalised images (b, c, h, w) and labels (b,) of a whole part."""
        size = EVALUATION_BATCH if part.images.device.type == "cpu" else GPU_EVALUATION_BATCH
        chosen = torch.split(torch.arange(len(part)), size) if len(part) else ()
        for number, streamed in enumerate(part.read_ahead(chosen)):
            batch = slice(number * size, (number + 1) * size)
            yield self.normalise(part.images[batch] if streamed is None else streamed), part.labels[batch]

    def reduce_outputs(self, log_probabilities: Tensor, labels: Tensor) -> Tensor:
        """The whole distribution of each image, unchanged."""
        return log_probabilities

    def concat_outputs(self, reduced: Sequence[Tensor], part: ImagePart) -> Tensor:
        """(n, classes) float32 on the CPU."""
        return torch.cat([*reduced]).cpu() if reduced else torch.empty(0, self.num_classes)

    def to_stored(self, outputs: Tensor) -> LogProbabilities:
        """Everything."""
        array: LogProbabilities = outputs.numpy()
        return array


def mixed(batch: Batch, mixing: MixingAugmentation, draws: Draws) -> Batch:
    """The images of a batch, each mixed with the one at its place from the end; labels of larger shares come first."""
    images, share = mixing.mix(batch.inputs, batch.inputs.flip(0), draws)
    others, is_larger = batch.labels.flip(0), share >= 0.5
    return Batch(
        images,
        batch.labels.where(is_larger, others),
        None,
        MixedLabels(others.where(is_larger, batch.labels), torch.maximum(share, 1 - share)),
    )


def _concat(batches: Sequence[Draws], worker_slice: slice, device: torch.device) -> Draws:
    """The worker's part of the draws of several batches, on a device but for the choices of operations."""
    return {
        name: joined if name == "chosen" else copy_to(device, joined)
        for name in batches[0]
        for joined in [torch.cat([draws[name][worker_slice] for draws in batches])]
    }


@dataclass(frozen=True)
class CropFlip:
    """Random numbers of a batch: offsets (b,) in 0 .. 2 pad and mirrorings (b,) of booleans."""

    down: Tensor
    right: Tensor
    mirror: Tensor

    def __getitem__(self, part: slice) -> "CropFlip":
        return CropFlip(self.down[part], self.right[part], self.mirror[part])

    def to(self, device: torch.device) -> "CropFlip":
        return CropFlip(*(copy_to(device, draws) for draws in (self.down, self.right, self.mirror)))

    @staticmethod
    def concat(batches: "Iterable[CropFlip]") -> "CropFlip":
        """The draws of several batches in a row."""
        return CropFlip(*map(torch.cat, zip(*((each.down, each.right, each.mirror) for each in batches), strict=True)))


def sample_crop_flip(seed: int, epoch: int, step: int, batch: int, pad: int, flip: bool) -> CropFlip:
    """The draws of a global batch, on the CPU whatever the device: a function of its arguments alone."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "augmentation", epoch, step))
    offsets = torch.randint(0, 2 * pad + 1, (2, batch), generator=generator)
    mirror = torch.rand(batch, generator=generator) < 0.5 if flip else torch.zeros(batch, dtype=torch.bool)
    return CropFlip(offsets[0], offsets[1], mirror)


def augment(images: Tensor, indices: Tensor, draws: CropFlip, pad: int) -> Tensor:
    """Reflection-pad, crop to the old size and mirror, another crop for each image, in one gather.

    Args:
        images: (n, h, w, c) uint8.
        indices: (b,) samples to take.

    Returns:
        (b, h, w, c) uint8.
    """
    _, height, width, channels = images.shape
    rows = _reflected(draws.down, height, pad)
    columns = _reflected(draws.right, width, pad)
    columns = torch.where(draws.mirror[:, None], columns.flip(1), columns)
    pixels = (indices[:, None, None] * height + rows[:, :, None]) * width + columns[:, None, :]
    return images.view(-1, channels).index_select(0, pixels.view(-1)).view(-1, height, width, channels)


def _reflected(offset: Tensor, size: int, pad: int) -> Tensor:
    """(b, size) source coordinates of a crop at `offset` of a reflection-padded axis."""
    position = (torch.arange(size, device=offset.device) + offset[:, None] - pad).abs_()
    return torch.where(position >= size, 2 * (size - 1) - position, position)


def load_images(task: Task, dataset: ImageDataset, device: torch.device, *, held: bool | None = None) -> ImageData:
    """Split a data set and put it on a device, or, of a large one, what is needed to read it batch by batch.

    Args:
        held: whether the images lie on the device; None for whether they fit. It changes no bit of any batch.
    """
    parts = split(task, dataset.train.labels, dataset.num_classes, dataset.num_held_out)
    kind = task_type(task.name)
    if not isinstance(kind, ImageTask):
        raise TypeError(f"task {task.name} is not one of images")
    if held is None:
        free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else available_bytes()
        held = kind.fits_in_memory(dataset, free)
    if task.normalise is not None:
        mean, deviation = (255 * np.array(values) for values in task.normalise)
    else:
        mean, deviation = _statistics(dataset, parts.train)

    def part(source: ImageRows, rows: Indices, labels: Indices) -> ImagePart:
        on_device = torch.from_numpy(np.array(labels)).to(device)
        if held:
            return ImagePart(on_device, _read_all(source, rows, device))
        nothing = torch.empty((0, *dataset.sample_shape), dtype=torch.uint8, device=device)
        return ImagePart(on_device, nothing, ImageStream(source, rows))

    def per_channel(x: np.ndarray) -> Tensor:
        return torch.from_numpy(x.astype(np.float32)).view(-1, 1, 1).to(device)

    train, test = dataset.train.rows(), dataset.test.rows()
    return ImageData(
        train=part(train, parts.train, parts.train_labels),
        held_out=part(train, parts.held_out, dataset.train.labels[parts.held_out]),
        test=part(test, np.arange(len(dataset.test.labels), dtype=np.int64), dataset.test.labels),
        num_classes=dataset.num_classes,
        in_channels=dataset.in_channels,
        sample_shape=dataset.sample_shape,
        class_names=dataset.class_names,
        pad=kind.padding(*dataset.sample_shape[:2]),
        flip=kind.mirrors(task),
        scale=per_channel(1 / deviation),
        shift=per_channel(-mean / deviation),
        task=task.name,
    )


def _statistics(dataset: ImageDataset, rows: Indices) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel of training images."""
    height, width = dataset.sample_shape[:2]
    # Quotients of exact sums of integers: the statistics do not depend on the order of summation.
    pixels = len(rows) * height * width
    mean, square = (np.array([int(total) / pixels for total in of]) for of in dataset.sums(rows).T)
    return mean, np.sqrt(np.maximum(square - mean**2, 1e-12))


def _read_all(source: ImageRows, rows: Indices, device: torch.device) -> Tensor:
    """Rows on a device; beside them few are in memory at a time."""
    images = torch.empty((len(rows), *source.shape[1:]), dtype=torch.uint8, device=device)
    if device.type == "cpu":
        source.read(rows, images.numpy())
    elif len(rows):
        batches = np.array_split(rows, 1 + images.nbytes // GPU_CHUNK_BYTES)
        start = 0
        for batch in read_ahead(source, batches, device):
            images[start : start + len(batch)] = batch
            start += len(batch)
    return images
