"""The split of images into training and held-out samples, and label noise: functions of the data alone."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ban_ray.errors import UserError
from ban_ray.specs import Task
from ban_ray.tasks.catalog import task_type

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Increasing indices into the training file (n,) and (m,), and the labels (n,) to train on, noise included."""

    train: Indices
    held_out: Indices
    train_labels: Indices


def split(task: Task, labels: Indices, num_classes: int, num_held_out: int = 0) -> Split:
    """The split of a task; no generation's or chain's seed enters it.

    Args:
        labels: (N,) of the training file, in canonical order.
        num_held_out: number of samples at the end that are the validation part of the data, and as such held out;
            0 where the data have none, so that held-out samples are chosen.

    Returns:
        Held-out samples (none under the paper protocol), stratified where they are chosen, and the training labels,
        of which exactly ``round(label_noise * n)`` are replaced by one drawn uniformly over all classes; with the other
        kinds of noise n are the samples of each class whose labels are replaced.

    Raises:
        UserError: too few samples to hold any out, or a kind of noise that the task does not know.
    """
    prefix = f"{task.name}/{task.fingerprint}/{task.split_seed}"
    held_out = np.empty(0, dtype=np.int64)
    if task.protocol == "search" and num_held_out:
        held_out = np.arange(len(labels) - num_held_out, len(labels), dtype=np.int64)
    elif task.protocol == "search":
        number = round(task_type(task.name).held_out_share * len(labels))
        if not 0 < number < len(labels):
            raise UserError(f"{len(labels)} training images are too few to hold any out; at least 10 are needed")
        held_out = stratified_by_hash(labels, number, f"held-out/{prefix}")
    train = np.setdiff1d(np.arange(len(labels), dtype=np.int64), held_out, assume_unique=True)
    noisy = labels[train].astype(np.int64)
    if task.label_noise:
        rank = ranks(f"noise/{prefix}", len(labels))
        order = np.array(sorted(range(len(train)), key=lambda position: rank[train[position]]), dtype=np.int64)
        if task.noise_kind == "uniform":
            for position in order[: round(task.label_noise * len(train))]:
                # The first bytes decide who is replaced, so the label is read from the last ones.
                noisy[position] = int.from_bytes(rank[train[position]][-8:], "big") % num_classes
        for label, other in _confusions(task, num_classes).items():
            of_class = order[labels[train[order]] == label]
            noisy[of_class[: round(task.label_noise * len(of_class))]] = other
    return Split(train=train, held_out=held_out, train_labels=noisy)


def _confusions(task: Task, num_classes: int) -> Mapping[int, int]:
    """The classes whose labels are replaced by one other class, and that."""
    if task.noise_kind == "pair":
        return {label: (label + 1) % num_classes for label in range(num_classes)}
    if task.noise_kind == "uniform":
        return {}
    confusions = task_type(task.name).confusions
    if not confusions or max(confusions) >= num_classes:
        raise UserError(
            f"noise kind asymmetric needs to know which classes are alike, and of {num_classes} classes of task "
            f"{task.name} that is not known; uniform and pair are allowed"
        )
    return confusions


def ranks(prefix: str, count: int) -> list[bytes]:
    """A SHA-256 for each of `count` samples; sorting by it shuffles them."""
    return [hashlib.sha256(f"{prefix}/{index}".encode()).digest() for index in range(count)]


def stratified_by_hash(labels: Indices, number: int, prefix: str) -> Indices:
    """Choose `number` samples, of each class its share (largest remainders), the same on every machine and with every
    library version.

    Returns:
        Increasing indices.
    """
    classes, counts = np.unique(labels, return_counts=True)
    exact = counts * number / len(labels)
    quota = np.floor(exact).astype(np.int64)
    short = number - int(quota.sum())
    quota[np.argsort(quota - exact, kind="stable")[:short]] += 1
    rank = ranks(prefix, len(labels))
    picked: list[int] = []
    for label, share in zip(classes, quota, strict=True):
        members = sorted(np.flatnonzero(labels == label).tolist(), key=rank.__getitem__)
        picked += members[:share]
    return np.sort(np.asarray(picked, dtype=np.int64))
