"""Storages of every kind, and the command."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from obstore.store import MemoryStore
from torch import Tensor

from ban_ray.networks import build
from ban_ray.population import Storage, open_storage
from ban_ray.population.__main__ import main
from ban_ray.storage.object_store import ObjectStorage
from tests.helpers.s3_server import s3, s3_server  # noqa: F401

NETWORK = "densenet-bc-10-4"
"""Of the weights that are imported."""


@pytest.fixture(params=["local", "memory", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "local":
        return open_storage(str(tmp_path / "storage"))
    if request.param == "memory":
        return ObjectStorage(MemoryStore(), "memory://")
    return open_storage(request.getfixturevalue("s3"))


@dataclass(frozen=True)
class Run:
    """A finished command."""

    status: int
    out: str
    err: str


Command = Callable[..., Run]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run ``python -m ban_ray.population`` in this process."""

    def run(*arguments: object) -> Run:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.main([str(argument) for argument in arguments])
        done = capsys.readouterr()
        return Run(int(ended.value.code or 0), done.out, done.err)

    return run


@pytest.fixture
def state() -> dict[str, Tensor]:
    """Weights of `NETWORK` for digits."""
    torch.manual_seed(3)
    return dict(build(NETWORK, 10, 1).state_dict())
