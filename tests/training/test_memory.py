"""Freed memory is kept: a step's large tensors do not fault their pages in again."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys, threading
import torch
from ban_ray.training.memory import keep_freed

def steps():
    if sys.argv[1] == "kept":
        assert keep_freed()
    for count in range(6):
        if count == 1:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        # 64 MiB, above what malloc keeps by itself.
        (torch.ones(16 * 2**20) + 1).sum()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

# Ray Train calls its function in a thread.
thread = threading.Thread(target=steps)
thread.start()
thread.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc")
def test_pages_are_paid_for_once() -> None:
    faults = {
        how: int(subprocess.run([sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True).stdout)
        for how in ("kept", "given back")
    }
    # Five steps of two tensors of 16,384 pages, or of 32 where pages are huge.
    assert faults["kept"] < faults["given back"] / 2
