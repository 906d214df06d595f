"""Arrays that are kept once a node, in a folder named by what they hold, and memory-mapped from there."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

META = "meta.json"


def cache_root() -> Path:
    """``$BAN_RAY_CACHE`` or the platform's cache folder."""
    return Path(os.environ.get("BAN_RAY_CACHE") or platformdirs.user_cache_dir("ban_ray"))


def cache_arrays(name: str, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, object]) -> None:
    """Write arrays under their fingerprint, unless they are there already."""
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    final = root / name
    if final.is_dir():
        return
    scratch = Path(tempfile.mkdtemp(prefix=".decoding-", dir=root))
    try:
        for file, array in arrays.items():
            np.save(scratch / f"{file}.npy", array)
        (scratch / META).write_text(json.dumps(meta), encoding="utf-8")
        try:
            scratch.rename(final)
        except OSError:
            # Another process wrote the same bytes first.
            if not final.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def cached_meta(name: str) -> dict[str, Any]:
    """What was kept beside the arrays.

    Raises:
        FileNotFoundError: nothing was kept under this fingerprint on this node.
    """
    return dict(json.loads((cache_root() / name / META).read_text(encoding="utf-8")))


def cached_arrays(name: str, files: Sequence[str]) -> tuple[list[NDArray[Any]], dict[str, Any]]:
    """The arrays, memory-mapped, and what was kept beside them.

    Raises:
        FileNotFoundError: nothing was kept under this fingerprint on this node.
    """
    meta = cached_meta(name)
    return [np.load(cache_root() / name / f"{file}.npy", mmap_mode="r") for file in files], meta
