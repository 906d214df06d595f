"""The search command, as a process and within this one, and a space small enough for it."""

import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
"""Runs the command with arguments, from an empty folder."""


def write_space(folder: Path, epochs: int = 2) -> str:
    """Write the tiny space as a file; returns its path."""
    file = folder / "tiny.py"
    file.write_text(textwrap.dedent(SPACE).replace("EPOCHS", str(epochs)))
    return str(file)


def contents(storage: Path) -> dict[str, bytes]:
    """Weights and predictions of every member, by path."""
    return {
        str(path.relative_to(storage)): path.read_bytes() for path in sorted(storage.glob("population/*/*.safetensors"))
    }
