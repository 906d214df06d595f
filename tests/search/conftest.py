"""The command as a user runs it: a process of its own, from another folder."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SPACE = '''
"""A space small enough for a test."""
from ban_ray.specs import Objective, Recipe, Scale, SearchSpace, born_again

def chain(configuration, setting, seed):
    return born_again(setting.task, f"densenet-bc-10-{configuration['growth']}", setting.recipe, setting.objective,
                      seed=seed, generations=setting.generations_for())

SPACE = SearchSpace(
    name="tiny", title="A tiny space", chain=chain,
    scales={"laptop": Scale(task="digits", label_noise=0.3, recipe=Recipe(epochs=EPOCHS, batch_size=50),
                            objective=Objective(name="ban+l"), generations=1, seeds=(0, 1),
                            configurations=({"growth": 4}, {"growth": 6}))},
)
'''


@dataclass(frozen=True)
class Run:
    """A finished command."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


Command = Callable[..., Run]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A cache of the tests' own, so that no earlier run is read."""
    return {**os.environ, "BAN_RAY_CACHE": str(tmp_path_factory.mktemp("cache")), "COLUMNS": "200"}


@pytest.fixture
def search(tmp_path: Path, environment: dict[str, str]) -> Command:
    """Run ``python -m ban_ray.search`` with arguments, from an empty folder."""

    def run(*arguments: str, timeout_s: float = 240) -> Run:
        done = subprocess.run(
            [sys.executable, "-m", "ban_ray.search", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    return run


def write_space(folder: Path, epochs: int = 2) -> str:
    """The tiny space as a file; returns its path."""
    file = folder / "tiny.py"
    file.write_text(textwrap.dedent(SPACE).replace("EPOCHS", str(epochs)))
    return str(file)


def contents(storage: Path) -> dict[str, bytes]:
    """Weights and predictions of every member, by path."""
    return {
        str(path.relative_to(storage)): path.read_bytes() for path in sorted(storage.glob("population/*/*.safetensors"))
    }
