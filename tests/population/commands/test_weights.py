"""Files that `import` refuses, each with one sentence and nothing run or published."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ban_ray.population import Population
from tests.helpers.population_command import NETWORK, Command


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.system, ("touch exploded",)


def bad_files(state: dict[str, Tensor], folder: Path) -> dict[str, str]:
    """Files that are refused, and a part of the sentence."""
    first = next(iter(state))
    contents: dict[str, Any] = {
        "bomb": Bomb(),
        "hidden bomb": {"state_dict": state, "extra": Bomb()},
        "list": [1, 2],
        "numbers": {"a": 1},
        "missing": {name: tensor for name, tensor in state.items() if name != first},
        "extra": {**state, "more": torch.zeros(1)},
        "shape": {**state, first: torch.zeros(1)},
        "infinite": {name: tensor.float() * torch.inf for name, tensor in state.items()},
        "sparse": {**state, first: torch.zeros_like(state[first]).to_sparse()},
        "complex": {**state, first: state[first].to(torch.complex64)},
        "meta": {**state, first: state[first].to("meta")},
        "quantised": {**state, first: torch.quantize_per_tensor(state[first].float(), 0.1, 0, torch.qint8)},
    }
    for name, content in contents.items():
        torch.save(content, folder / name)
    (folder / "text").write_text("hello")
    (folder / "empty").write_bytes(b"")
    (folder / "safe").write_bytes((2).to_bytes(8, "little") + b"{}" + b"junk")
    (folder / "cut").write_bytes((folder / "extra").read_bytes()[:500])
    return {
        "bomb": "cannot be read as weights",
        "hidden bomb": "cannot be read as weights",
        "list": "holds no state dict",
        "numbers": "holds no state dict",
        "missing": f"lacks {first}",
        "extra": "holds what the network has not: more",
        "shape": f"another shape for {first}",
        "infinite": "numbers that are not finite",
        "sparse": f"a sparse tensor for {first}",
        "complex": f"a complex tensor for {first}",
        "meta": f"an empty (meta) tensor for {first}",
        "quantised": f"a quantised tensor for {first}",
        "text": "cannot be read as weights",
        "empty": "cannot be read as weights",
        "safe": "cannot be read as weights",
        "cut": "cannot be read as weights",
    }


def test_files_that_are_refused(
    command: Command,
    population: Population,
    state: dict[str, Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, sentence in bad_files(state, tmp_path).items():
        done = command(
            "import", tmp_path / name, "--network", NETWORK, "--task", "digits", "--storage", population.storage.url
        )
        assert (done.status, done.out) == (2, ""), name
        assert sentence in done.err
        assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "exploded").exists(), "nothing is ever unpickled"
    assert population.keys() == []
