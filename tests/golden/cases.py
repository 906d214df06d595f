"""The searches that are recorded, and the small data sets that some of them read."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

OWN_NETWORK = "tests.golden.own_network:build"


@dataclass(frozen=True)
class Case:
    """Arguments of a search, and those of a search whose members are there before."""

    arguments: tuple[str, ...]
    before: tuple[str, ...] = ()


def _typed(text: str, before: str = "") -> Case:
    return Case(tuple(text.split()), tuple(before.split()))


LAPTOP = {
    name: _typed(f"--space {name} {more}")
    for name, more in {
        "chain": "--network densenet-bc-10-4",
        "cifar10": "",
        "densenet_grid": "",
        "densenet_search": "",
        "does_it_help": "--network densenet-bc-16-8",
        "language_models": "--data text --tokens char",  # the embedded text changes with Python
        "match_densenet": "",
        "match_resnet": "",
        "match_resnet_widths": "",
        "objectives": "",
        "population_search": "",
        "recipe_search": "",
        "wide_resnet_teachers": "",
    }.items()
}
SAMPLED = {
    # The two networks of a grid that was run before enter its study.
    "densenet_search": _typed(
        "--space densenet_search --samples 6 --minimise error,parameters",
        "--space densenet_search --sampler grid --max-parameters 2400",
    ),
    "match_resnet_widths": _typed(
        "--space match_resnet_widths --samples 4 --sampler random --no-stopping --target best"
    ),
    "population_search": _typed("--space population_search --samples 5 --sampler random"),
    "recipe_search": _typed("--space recipe_search --samples 5 --generations 3 --min-gain 20"),
}
_PAPER = ("cifar10", "densenet_grid", "match_densenet", "match_resnet", "objectives", "wide_resnet_teachers")
_GRID = "--space densenet_grid --seeds 0"
SEARCHES = {
    **{name: case for name, case in LAPTOP.items() if name not in SAMPLED},
    **{f"{name}-paper": _typed(f"--space {name} --scale paper --data cifar") for name in _PAPER},
    "language_models-paper": _typed("--space language_models --scale paper --task text --data text"),
    "own-network": Case(
        (
            *("--space", "chain", "--network", OWN_NETWORK, "--network-args", '{"width": 4}', "--network-version", "2"),
            *("--task", "folder", "--data", "pictures", "--image-size", "8", "--batch-size", "8", "--seeds", "0,1"),
        )
    ),
    "objective-and-noise": _typed(
        "--space chain --network densenet-bc-10-4 --objective ban:temperature=4 --label-noise 0.2 --split-seed 3 "
        "--precision bf16 --workers 2 --epochs 20 --batch-size 32 --seeds 3,5 --generations 3"
    ),
    "cached-outputs": _typed("--space match_densenet --seeds 0 --teacher-cache 1MiB"),
    # The keys are those of densenet-bc-16-8 at seed 0, and of its second student.
    "taught-by-key": _typed(
        "--space chain --network densenet-bc-16-8 --seeds 0 --generations 1 --teacher da288bd2245c", _GRID
    ),
    "taught-by-generations": _typed(
        "--space chain --network densenet-bc-16-8 --seeds 0 --generations 0 --teacher generations:caa402b67388",
        f"{_GRID} --generations 2",
    ),
    # A new member must not be better than all of these, or a repetition would choose it.
    "taught-by-best": _typed(
        "--space chain --network densenet-bc-16-8 --seeds 0 --generations 1 --teacher best:parameters=50000",
        "--space densenet_grid",
    ),
    "sampled-as-grid": _typed(
        "--space densenet_search --sampler grid --max-parameters 5000 --generations 1 --minimise error,parameters "
        "--target ensemble"
    ),
    "stopped-grid": _typed(
        "--space densenet_grid --stopping --patience 3 --min-gain 0.5 --minimise error,multiply-accumulates"
    ),
}
TABLES = ("densenet_grid", "does_it_help", "language_models")
"""Searches on whose members the report's tables are recorded."""

_PICTURES = ("--task", "folder", "--data", "pictures", "--image-size", "8")
_SMALL = ("--network", "densenet-bc-10-4", "--task", "digits")
TRAINED = {
    "chain": ("--space", "chain", *_SMALL, "--generations", "2", "--epochs", "1", "--seeds", "0,1"),
    "kept outputs": (
        *("--space", "chain", *_SMALL, "--generations", "1", "--epochs", "1", "--seeds", "0"),
        *("--teacher-cache", "1MiB"),
    ),
    "sampled": (
        *("--space", "densenet_search", *_PICTURES, "--generations", "2", "--epochs", "5", "--batch-size", "8"),
        *("--samples", "3", "--max-parameters", "6000", "--concurrent", "1"),
    ),
    "own network": (
        *("--space", "chain", "--network", OWN_NETWORK, "--network-args", '{"width": 4}', "--network-version", "2"),
        *(*_PICTURES, "--generations", "1", "--epochs", "2", "--batch-size", "8", "--seeds", "0"),
    ),
    "text": (
        *("--space", "chain", "--network", "lstm-1-8", "--task", "text", "--data", "text", "--tokens", "char"),
        *("--generations", "1", "--epochs", "1", "--seeds", "0"),
    ),
}
"""Searches that an older version has trained, and written to `population/`."""

IMPORTED = (
    *("--network", OWN_NETWORK, "--network-args", '{"width": 4}', *_PICTURES, "--protocol", "search"),
    *("--split-seed", "0"),
)
TAUGHT = (
    *("--space", "chain", "--network", "densenet-bc-10-4", *_PICTURES, "--teacher", "best", "--generations", "0"),
    *("--epochs", "1", "--batch-size", "8", "--seeds", "0"),
)
"""What taught it is written down with the search."""

UNFINISHED = ("--space", "chain", *_SMALL, "--generations", "0", "--epochs", "300", "--seeds", "7")
"""Was interrupted after two thirds."""


def write_data(folder: Path) -> None:
    """The folders ``text``, ``cifar`` and ``pictures``, the same bits of samples everywhere."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, lines in (("train", 260), ("valid", 12), ("test", 13)):
        (folder / "text").mkdir(exist_ok=True)
        (folder / "text" / f"{part}.txt").write_text("".join(map(_line, range(lines))))
    for part, count, first in (("train", 160, 0), ("test", 40, 500)):
        numbers = range(first, first + count)
        (folder / "cifar").mkdir(exist_ok=True)
        images = [{"bytes": _png(number, 32), "path": None} for number in numbers]
        labels = [number % 10 for number in numbers]
        pq.write_table(pa.table({"img": images, "label": labels}), folder / "cifar" / f"{part}.parquet")
    for part, count, first in (("train", 60, 0), ("test", 30, 500)):
        for number in range(first, first + count):
            file = folder / "pictures" / part / "abc"[number % 3] / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(_png(number, 8))


def _line(number: int) -> str:
    words = ("the", "cat", "sat", "on", "a", "mat", "and", "saw", "its", "dog", "run", "by")
    return " ".join(words[(number * number + 5 * k) % (7 + k)] for k in range(4 + number % 5)) + "\n"


def _png(number: int, side: int) -> bytes:
    """A picture of `side` by `side` pixels, brighter in another third for each of three classes."""
    index = np.arange(side * side * 3, dtype=np.int64).reshape(side, side, 3)
    noise = (index * (2 * number + 1) * 2_654_435_761 // 2**16) % 128
    bright = np.zeros_like(index)
    bright[(number % 3) * side // 3 : (number % 3 + 1) * side // 3] = 100
    buffer = io.BytesIO()
    Image.fromarray((noise + bright).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
