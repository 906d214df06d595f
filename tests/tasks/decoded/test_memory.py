"""The memory that is free: of the machine, within limits and control groups."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from ban_ray.tasks.decoded import memory

GB = 10**9


def test_a_quarter_of_the_free_memory_is_for_a_set() -> None:
    assert memory.fits_in_memory(GB, 4 * GB)
    assert not memory.fits_in_memory(GB + 1, 4 * GB)
    assert not memory.fits_in_memory(1, 0)


def test_the_machine_has_some() -> None:
    assert 2**27 < memory.available_bytes() < 2**50


@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_limits_of_the_process(limit: str) -> None:
    code = (
        f"import resource; resource.setrlimit(resource.{limit}, ({GB}, {GB}))\n"
        "from ban_ray.tasks.decoded.memory import available_bytes\n"
        "first = available_bytes(); taken = bytearray(300_000_000); print(first, available_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before < GB
    assert before - after == pytest.approx(300e6, rel=0.05)


def test_control_groups_around_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the service allows less than its own one, whose files' pages can be given back."""
    inner = tmp_path / "service" / "own"
    inner.mkdir(parents=True)
    for group, limit, used, pages in ((inner, "max", 3, 2), (inner.parent, str(8 * GB), 6 * GB, 2 * GB)):
        (group / "memory.max").write_text(f"{limit}\n")
        (group / "memory.current").write_text(f"{used}\n")
        (group / "memory.stat").write_text(f"anon 5\ninactive_file {pages}\n")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    real = Path.read_text

    def read_text(self: Path, *given: str, **more: str) -> str:
        return "0::/service/own\n" if self == Path("/proc/self/cgroup") else real(self, *given, **more)

    monkeypatch.setattr(Path, "read_text", read_text)
    assert memory._cgroup_rooms() == [4 * GB]
    (inner / "memory.max").write_text(f"{GB}\n")
    assert memory.available_bytes() <= GB
    assert resource.getrlimit(resource.RLIMIT_DATA)
