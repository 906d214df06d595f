"""A stratified choice by hashes: the same on every machine and with every library version."""

import hashlib

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def ranks(prefix: str, count: int) -> list[bytes]:
    """A SHA-256 for each of `count` samples; sorting by it shuffles them."""
    return [hashlib.sha256(f"{prefix}/{index}".encode()).digest() for index in range(count)]


def stratified_by_hash(labels: Indices, number: int, prefix: str) -> Indices:
    """Choose `number` samples, each class by its share (largest remainders); indices increase."""
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
