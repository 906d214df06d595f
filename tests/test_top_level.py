"""The project's folder holds what a reader looks for, and nothing else."""

import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
ALLOWED = {"ban_ray", "search_spaces", "analysis", "tests", "pyproject.toml", "README.md", "LICENSE"}


def test_nothing_else_at_the_top() -> None:
    """Beside dotfiles; only what git tracks, since runs leave folders of their own."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout")
    tracked = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    top = {line.split("/")[0] for line in tracked.splitlines()}
    assert {name for name in top if not name.startswith(".")} == ALLOWED
