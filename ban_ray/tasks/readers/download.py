"""Public data sets fetched by torchvision, which knows their addresses and checksums."""

import http.client
import shutil
import sys
import tarfile
import tempfile
import zlib
from contextlib import redirect_stdout
from pathlib import Path

from ban_ray.errors import UserError

# torchvision's class, and the folder that it makes.
_CLASSES = {
    "cifar10": ("CIFAR10", "cifar-10-batches-py"),
    "cifar100": ("CIFAR100", "cifar-100-python"),
    "fashion_mnist": ("FashionMNIST", "FashionMNIST"),
}


def download(task: str, folder: Path) -> None:
    """Fetch a task's files into a folder, which is made if needed; they appear there all at once, or not at all.

    Raises:
        UserError: the network or the disk failed, or what came has another checksum.
    """
    from torchvision import datasets

    class_name, made = _CLASSES[task]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".downloading-", dir=folder))
        try:
            # Its notes on what it does belong beside its bar of progress.
            with redirect_stdout(sys.stderr):
                getattr(datasets, class_name)(str(scratch), download=True)
            (scratch / made).rename(folder / made)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except (OSError, RuntimeError, http.client.HTTPException, tarfile.TarError, EOFError, zlib.error) as error:
        if (folder / made).is_dir():
            # Another node was faster; whether its files are complete is seen when they are looked for.
            return
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"--download: task {task} could not be fetched into {folder} ({reason})") from error
