"""Operations on single files and folders that are whole or not done at all."""

import errno
import os
import secrets
from pathlib import Path


def write_temporary(target: Path, data: bytes) -> Path:
    """Write a new hidden file beside the target; its bytes are on disk when this returns."""
    scratch = target.parent / f".{target.name}.{secrets.token_hex(6)}"
    try:
        with scratch.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    return scratch


def link(scratch: Path, target: Path) -> None:
    """Give a file a second name, or raise FileExistsError."""
    try:
        os.link(scratch, target)
    except FileExistsError:
        # NFS repeats a request whose answer was lost, and then finds the link that it made itself.
        if scratch.stat().st_nlink < 2:
            raise


def sync(folder: Path) -> None:
    """Make a new name survive a power cut, if the file system supports it."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        # Another process has deleted the folder since.
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def delete_folder(folder: Path) -> None:
    """Delete a folder and everything below it; links are deleted, not followed."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    delete_folder(Path(entry))
                else:
                    Path(entry).unlink(missing_ok=True)
        folder.rmdir()
    except OSError as error:
        # Other processes may delete it too, or still write into it; NFS keeps a file that is open elsewhere.
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EBUSY):
            raise
