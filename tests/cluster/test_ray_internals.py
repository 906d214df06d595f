"""Private names of Ray and Optuna, checked by ``ray_internals.py`` in a process of its own.

Ray reads its environment when it is imported, and the other tests of this process connect to clusters later.
"""

import subprocess
import sys
from pathlib import Path

CHECKS = Path(__file__).with_name("ray_internals.py")


def test_private_names_are_still_there() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", str(CHECKS)],
        cwd=CHECKS.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
