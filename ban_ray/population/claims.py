"""Claims on generations that are being trained. They save work; correctness never rests on them.

A key's claims are numbered files, and the highest number holds the key. The next number is created exclusively, so that
of several runs that take over one succeeds. A holder renews a counter in its file; a run that waits measures by its own
monotonic clock how long the counter has not changed.
"""

import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ban_ray.population.layout import claim_folder
from ban_ray.storage.base import Storage

_NAME = re.compile(r"[0-9]{6,18}\.json")

RENEW_S = 5.0
STALE_S = 45.0


def process_identity() -> dict[str, str | int]:
    """What distinguishes this process from every other one on this boot of this host."""
    return {
        "host": socket.gethostname(),
        "boot": _boot(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
    }


def _boot() -> str:
    try:
        namespace = Path("/proc/self/ns/pid").readlink()
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}/{namespace}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Start time of a process in clock ticks since boot; empty where it has ended, reaped or not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in ("Z", "X") else fields[19]
    except (OSError, IndexError):
        return ""


def _owner_is_dead(record: dict[str, Any]) -> bool:
    """True only where the owner lived on this boot of this host and its process has ended."""
    owner = record.get("owner")
    if not isinstance(owner, dict):
        return False
    own = process_identity()
    same = bool(own["boot"]) and all(owner.get(field) == own[field] for field in ("host", "boot"))
    return same and (not isinstance(owner.get("pid"), int) or _started(owner["pid"]) != owner.get("started"))


class Claim:
    """A claim that this process holds and renews until it is released or lost."""

    def __init__(self, storage: Storage, key: str, number: int, holder: str) -> None:
        self._storage, self._key, self._number = storage, key, number
        self._record = {"run": holder, "owner": process_identity(), "counter": 0, "released": False}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"claim-{key[:8]}", daemon=True)

    @property
    def path(self) -> str:
        return f"{claim_folder(self._key)}/{self._number:06d}.json"

    def create(self) -> bool:
        """Create the claim's file; False if another run was faster."""
        if not self._storage.create(self.path, json.dumps(self._record).encode()):
            return False
        self._thread.start()
        return True

    def release(self) -> None:
        """Let another run train the generation at once."""
        self._stop()
        self._record["released"] = True
        self._storage.write(self.path, json.dumps(self._record).encode())

    def end(self) -> None:
        """Delete every claim of the key, since the generation is published."""
        self._stop()
        self._storage.delete(claim_folder(self._key))

    def _stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_S):
            self._record["counter"] = int(str(self._record["counter"])) + 1
            try:
                if self._released_by_the_search():
                    return
                self._storage.write(self.path, json.dumps(self._record).encode())
            except OSError:
                # A storage that is gone makes the training's own writes fail.
                continue

    def _released_by_the_search(self) -> bool:
        """Whether the search has released this claim, as it does at its end, while workers may still run."""
        try:
            return json.loads(self._storage.read(self.path)).get("released") is True
        except (FileNotFoundError, ValueError, AttributeError):
            return False


def current(storage: Storage, key: str) -> tuple[int, dict[str, Any] | None]:
    """The highest claim's number and record; (0, None) where there is none."""
    names = [name for name in storage.list(claim_folder(key)) if _NAME.fullmatch(name)]
    if not names:
        return 0, None
    try:
        record = json.loads(storage.read(f"{claim_folder(key)}/{names[-1]}"))
    except FileNotFoundError:
        return 0, None
    except (ValueError, RecursionError):
        record = {}
    return int(names[-1][:-5]), record if isinstance(record, dict) else {}


def acquire(storage: Storage, key: str, holder: str, *, expired: int = 0) -> Claim | None:
    """Claim a key; None if another run holds it.

    Args:
        holder: id of the training job that claims the key; it may take over its own earlier claim.
        expired: number of a claim that `wait` found not renewed for `STALE_S`.
    """
    number, record = current(storage, key)
    free = (
        record is None
        or record.get("released") is True
        or record.get("run") == holder
        or number <= expired
        or _owner_is_dead(record)
    )
    if not free:
        return None
    claim = Claim(storage, key, number + 1, holder)
    return claim if claim.create() else None


def wait(storage: Storage, key: str, done: Callable[[], bool], *, poll_s: float = 0.5) -> int:
    """Wait until `done()`, or until the claim on `key` is free.

    Returns:
        The number of the claim if its holder is dead or has not renewed it for `STALE_S`, else 0.
    """
    last_seen: tuple[int, object] | None = None
    since = checked = time.monotonic()
    while not done():
        number, record = current(storage, key)
        if record is None or record.get("released") is True:
            return 0
        if _owner_is_dead(record):
            return number
        now = time.monotonic()
        # While this process could not check, the storage may have been gone for the holder too.
        could_check, checked = now - checked < STALE_S / 2, now
        if (number, record.get("counter")) != last_seen or not could_check:
            last_seen, since = (number, record.get("counter")), now
        elif now - since > STALE_S:
            return number
        time.sleep(poll_s)
    return 0


def release_held_by(storage: Storage, keys: list[str], is_holder: Callable[[str], bool]) -> int:
    """Release the claims of holders that were stopped, and return the number of claims."""
    count = 0
    for key in keys:
        number, record = current(storage, key)
        if record and record.get("released") is not True and is_holder(str(record.get("run"))):
            path = f"{claim_folder(key)}/{number:06d}.json"
            storage.write(path, json.dumps({**record, "released": True}).encode())
            count += 1
    return count
