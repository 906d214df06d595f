"""Training on a set of 224-pixel images: ``python -m tests.training.larger_than_memory DATA RESULT [LIMIT_GB]``.

DATA holds Parquet files as `write_set` writes them. With a limit the process may have so many gigabytes of data of its
own (RLIMIT_DATA), and decides itself that the set is streamed; without one the set lies in memory. RESULT gets the
weights, what `/proc/self/status` says of the memory, and times.
"""

import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from ban_ray.specs import Generation, Objective, Recipe, Task
from ban_ray.tasks.image_data import load_images
from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from ban_ray.training import train

SIDE, CLASSES = 224, 10
IMAGES = {"train": 26_000, "test": 1_000}
CPU = torch.device("cpu")


def encoded_image(number: int) -> bytes:
    """A JPEG file of coarse noise, of a class that its mean colour tells."""
    chance = np.random.default_rng(number)
    noise = chance.integers(0, 120, (28, 28, 3)) + 13 * (number % CLASSES)
    stream = BytesIO()
    Image.fromarray(noise.astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BILINEAR).save(stream, "JPEG")
    return stream.getvalue()


def write_set(folder: Path, images: dict[str, int]) -> None:
    """Parquet files of encoded images, of which few are in memory at a time."""
    folder.mkdir(parents=True)
    schema = pa.schema({"image": pa.struct({"bytes": pa.binary(), "path": pa.string()}), "label": pa.int64()})
    first = 0
    with ThreadPoolExecutor() as pool:
        for part, count in images.items():
            with pq.ParquetWriter(folder / f"{part}.parquet", schema) as writer:
                for start in range(first, first + count, 1000):
                    numbers = range(start, min(start + 1000, first + count))
                    rows = [{"bytes": content, "path": None} for content in pool.map(encoded_image, numbers)]
                    labels = [number % CLASSES for number in numbers]
                    writer.write_table(pa.table({"image": rows, "label": labels}, schema))
            first += count


def memory() -> dict[str, int]:
    """Bytes by name: the peak of resident memory, and what of it is the process's own now."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {
        words[0].rstrip(":"): 1024 * int(words[1])
        for words in lines
        if words[0] in ("VmHWM:", "VmRSS:", "RssAnon:", "RssFile:", "VmData:")
    }


def generation_of(dataset: ImageDataset, batch_size: int = 64) -> Generation:
    return Generation(
        task=Task(name="folder", fingerprint=dataset.fingerprint),
        network="tests.training.own_networks:strided",
        network_version="1",
        recipe=Recipe(epochs=1, batch_size=batch_size),
        objective=Objective(name="label"),
        seed=1,
    )


def main(data: Path, result: Path, limit_gb: float | None) -> None:
    torch.set_num_threads(1)
    if limit_gb is not None:
        bytes_ = int(limit_gb * 10**9)
        resource.setrlimit(resource.RLIMIT_DATA, (bytes_, bytes_))
    before = memory()
    began = time.perf_counter()
    dataset = open_source(Source.of("folder", str(data)))
    assert isinstance(dataset, ImageDataset)
    decoded = time.perf_counter()
    after_decoding = memory()
    generation = generation_of(dataset)
    loaded = load_images(generation.task, dataset, CPU, held=True if limit_gb is None else None)
    trained = train(generation, None, loaded, CPU)
    torch.save(
        {
            "weights": trained.weights,
            "held_out": trained.held_out,
            "test": trained.test,
            "fingerprint": dataset.fingerprint,
            "num_bytes": dataset.num_bytes,
            "streamed": loaded.train.stream is not None,
            "memory": {"before": before, "decoded": after_decoding, "trained": memory()},
            "seconds": {"decoding": decoded - began, "training": time.perf_counter() - decoded},
            "images_per_second": trained.history[-1]["images_per_second"],
        },
        result,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else None)
