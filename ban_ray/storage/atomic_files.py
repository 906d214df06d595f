"""What a local storage does to single files and folders."""

import errno
import os
import secrets
from pathlib import Path


def write_temporary(target: Path, data: bytes) -> Path:
    """A new hidden file beside the target, with its bytes on disk."""
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
    """Give a file a second name; raises FileExistsError where the name is taken."""
    try:
        os.link(scratch, target)
    except FileExistsError:
        # NFS repeats a request whose answer was lost, and then finds the link that it made itself.
        if scratch.stat().st_nlink < 2:
            raise


def sync(folder: Path) -> None:
    """Make a new name last through a power cut, where the file system knows how."""
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
    """Delete a folder with all below it; links are deleted, not followed.

    Others may delete it too, or still write into it; NFS keeps a file that is open elsewhere.
    """
    try:
        with os.scandir(folder) as below:
            for one in below:
                if one.is_dir(follow_symlinks=False):
                    delete_folder(Path(one))
                else:
                    Path(one).unlink(missing_ok=True)
        folder.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EBUSY):
            raise
