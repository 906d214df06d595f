"""Four gigabytes of pixels in a process that may have two."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from ban_ray.tasks.decoded.memory import available_bytes
from tests.helpers.training_spies import same_bits
from tests.training.larger_than_memory import IMAGES, SIDE, write_set

LIMIT_GB = 2
PIXELS = sum(IMAGES.values()) * SIDE * SIDE * 3


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_it_trains_to_the_weights_of_a_set_in_memory(tmp_path: Path) -> None:
    """An epoch, after the decoding in the same process; the other one holds the set."""
    free = shutil.disk_usage(tmp_path).free
    if free < 1.5 * PIXELS:
        pytest.skip(f"{1.5 * PIXELS / 1e9:.0f} GB of disk are needed, {free / 1e9:.0f} GB are free")
    if available_bytes() < 1.5 * PIXELS:
        pytest.skip("there is too little memory to hold the set and compare")
    write_set(tmp_path / "data", IMAGES)
    # Arrow's own allocator reserves a gigabyte that it does not use.
    environment = {
        **os.environ,
        "BAN_RAY_CACHE": str(tmp_path / "cache"),
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "MALLOC_ARENA_MAX": "4",
    }

    def trained(name: str, *limit: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "tests.training.larger_than_memory", str(tmp_path / "data")]
        subprocess.run([*command, str(tmp_path / name), *limit], check=True, env=environment)
        result: dict[str, Any] = torch.load(tmp_path / name)
        return result

    limited, unlimited = trained("limited.pt", str(LIMIT_GB)), trained("unlimited.pt")
    for name, made in (("under a limit", limited), ("without one", unlimited)):
        print(name, {key: made[key] for key in ("streamed", "memory", "seconds", "images_per_second")})
    assert limited["num_bytes"] == PIXELS > 2 * LIMIT_GB * 10**9
    assert (limited["streamed"], unlimited["streamed"]) == (True, False)
    assert limited["memory"]["trained"]["VmHWM"] < LIMIT_GB * 10**9
    assert unlimited["memory"]["trained"]["VmHWM"] > PIXELS, "so that the limit is one"
    assert limited["memory"]["decoded"]["VmHWM"] - limited["memory"]["before"]["VmHWM"] < 300 * 10**6
    assert limited["fingerprint"] == unlimited["fingerprint"]
    assert same_bits(limited["weights"], unlimited["weights"])
    assert torch.equal(limited["held_out"], unlimited["held_out"])
    assert torch.equal(limited["test"], unlimited["test"])
