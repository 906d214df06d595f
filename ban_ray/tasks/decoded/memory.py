"""The memory that a process may still take, and how much of it a data set may have. Free of torch."""

import os
import resource
from pathlib import Path

MAX_DATA_FRACTION = 0.25
"""Of the free memory of a device; a data set that needs more is read from the disk as it is needed."""

BUFFERS = 4
"""Batches of a set that is read: one in use, one whose copy to a GPU may not have ended, and those that are read."""

_CGROUPS = Path("/sys/fs/cgroup")


def fits_in_memory(num_bytes: int, free_bytes: int) -> bool:
    """Whether a data set of so many bytes is to lie in memory of which so much is free."""
    return num_bytes <= MAX_DATA_FRACTION * free_bytes


def available_bytes() -> int:
    """Memory that this process may take: of the machine, and within its control groups and resource limits."""
    status, machine = _table(Path("/proc/self/status")), _table(Path("/proc/meminfo"))
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    rooms = [machine.get("MemAvailable", pages)]
    for limit, used in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        soft = resource.getrlimit(limit)[0]
        if soft != resource.RLIM_INFINITY:
            rooms.append(soft - status.get(used, 0))
    return max(0, min(rooms + _cgroup_rooms()))


def _cgroup_rooms() -> list[int]:
    """What the limits of this process's control group (version 2) and those around it leave."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    own = next((line[3:] for line in lines if line.startswith("0::")), "/")
    place = _CGROUPS / own.lstrip("/")
    rooms = []
    for group in (place, *place.parents):
        if not group.is_relative_to(_CGROUPS):
            break
        try:
            limit = int((group / "memory.max").read_text())
            used = int((group / "memory.current").read_text())
            stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            # The root has no such files, and a group without a limit says "max".
            continue
        # Pages of files that nobody needs are given back first.
        rooms.append(limit - used + int(stat.get("inactive_file", 0)))
    return rooms


def _table(file: Path) -> dict[str, int]:
    """Bytes by name, of the lines ``Name:  123 kB`` of a file of Linux; empty on other systems."""
    try:
        lines = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return {}
    return {words[0].rstrip(":"): 1024 * int(words[1]) for words in lines if words[2:] == ["kB"]}
