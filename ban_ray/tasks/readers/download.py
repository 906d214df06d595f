"""Download of public data sets by torchvision, which has their addresses and checksums."""

import http.client
import shutil
import sys
import tarfile
import tempfile
import zlib
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from ban_ray.errors import UserError
from ban_ray.tasks.task_type import TaskType


def download(task_type: TaskType[Any], folder: Path) -> None:
    """Fetch a task's files into a folder, which is made if needed; they appear in it all at once, or not at all.

    Raises:
        UserError: the network or the disk failed, or what came has another checksum.
    """
    from torchvision import datasets

    if task_type.torchvision is None:
        raise UserError(f"--download: torchvision does not know task {task_type.name}")
    class_name, made = task_type.torchvision
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".downloading-", dir=folder))
        try:
            # torchvision prints to stdout, which belongs to --json.
            with redirect_stdout(sys.stderr):
                getattr(datasets, class_name)(str(scratch), download=True)
            (scratch / made).rename(folder / made)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except (OSError, RuntimeError, http.client.HTTPException, tarfile.TarError, EOFError, zlib.error) as error:
        if (folder / made).is_dir():
            # Another node was faster.
            return
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"--download: task {task_type.name} could not be fetched into {folder} ({reason})") from error
