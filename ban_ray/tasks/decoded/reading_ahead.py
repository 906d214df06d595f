"""Batches of images read from a file by threads while the device works on earlier ones."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from ban_ray.tasks.decoded.image_file import ImageRows, Indices
from ban_ray.tasks.decoded.memory import BUFFERS

READERS = 2
"""Threads: more than one, so that one waits for the disk while another copies."""


def read_ahead(source: ImageRows, batches: Sequence[Indices], device: torch.device) -> Iterator[Tensor]:
    """The images (b, h, w, c) of each batch of rows, on a device; a GPU gets them by pinned memory.

    A tensor on the CPU is overwritten after the next one was asked for. The threads end with the iterator, also when it
    is closed before its end.

    Raises:
        OSError: a row cannot be read; raised where its batch is asked for.
    """
    on_gpu = device.type == "cuda"
    shape = (max(map(len, batches), default=0), *source.shape[1:])
    # Made here and used again, since memory that is pinned in another thread would break the capture of a graph.
    buffers = [torch.empty(shape, dtype=torch.uint8, pin_memory=on_gpu) for _ in range(min(BUFFERS, len(batches)))]
    copied: list[torch.cuda.Event | None] = [None] * len(buffers)

    def read(rows: Indices, buffer: Tensor) -> Tensor:
        images = buffer[: len(rows)]
        source.read(rows, images.numpy())
        return images

    pool = ThreadPoolExecutor(READERS, "read-ahead")
    try:
        reading: deque[Future[Tensor]] = deque()
        started = 0
        for number in range(len(batches)):
            # The batch before the last one is through on the CPU; of a GPU's its event says so.
            while started < min(number + max(1, len(buffers) - 1), len(batches)):
                place = started % len(buffers)
                if (event := copied[place]) is not None:
                    event.synchronize()
                reading.append(pool.submit(read, batches[started], buffers[place]))
                started += 1
            images = reading.popleft().result()
            if on_gpu:
                images = images.to(device, non_blocking=True)
                copied[number % len(buffers)] = event = torch.cuda.Event()  # type: ignore[no-untyped-call]
                event.record()
            yield images
    finally:
        pool.shutdown(cancel_futures=True)
