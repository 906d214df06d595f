"""The command, and weights to import."""

import pytest
import torch
from torch import Tensor

from ban_ray.networks import build
from ban_ray.population.__main__ import main
from tests.helpers.population_command import NETWORK, Command, Run


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run ``python -m ban_ray.population`` in this process."""

    def run(*arguments: object) -> Run:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Run(int(ended.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def state() -> dict[str, Tensor]:
    """Weights of `NETWORK` for digits."""
    torch.manual_seed(3)
    return dict(build(NETWORK, 10, 1).state_dict())
