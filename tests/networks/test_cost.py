"""Multiply-accumulates."""

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ban_ray.errors import UserError
from ban_ray.networks.building import build
from ban_ray.networks.cost import multiply_accumulates
from tests.helpers.networks import PAPERS, TINY


@pytest.mark.parametrize(("name", "thousand_millions"), [(name, cost) for name, _, cost in PAPERS])
def test_the_papers_networks(name: str, thousand_millions: str) -> None:
    assert f"{multiply_accumulates(name, 100, 3, (32, 32, 3)) / 1e9:.3f}" == thousand_millions


@pytest.mark.parametrize("name", [*TINY, "torchvision:resnet18"])
def test_torchs_own_counter_agrees(name: str) -> None:
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        build(name, 7, 1).eval()(torch.zeros(1, 1, 28, 28))
    assert multiply_accumulates(name, 7, 1, (28, 28, 1)) == counter.get_total_flops() / 2


def test_grouped_transposed_repeated_and_keyword_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mixed_layers.py").write_text(
        "from torch import nn\n"
        "class Mixed(nn.Module):\n"
        "    def __init__(self, classes, channels):\n"
        "        super().__init__()\n"
        "        self.grouped = nn.Conv2d(channels, 6, (3, 1), padding=(1, 0), groups=3)\n"
        "        self.up = nn.ConvTranspose2d(6, 4, 2, stride=2)\n"
        "        self.twice = nn.Conv1d(4, 4, 1)\n"
        "        self.last = nn.Linear(4, classes)\n"
        "    def forward(self, x):\n"
        "        x = self.up(input=self.grouped(x)).flatten(2)\n"
        "        return self.last(input=self.twice(self.twice(x)).mean(2))\n"
        "def mixed(num_classes, in_channels):\n"
        "    return Mixed(num_classes, in_channels)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    grouped = 6 * 5 * 5 * (9 // 3) * 3
    up = 6 * 5 * 5 * 4 * 2 * 2
    twice = 2 * 4 * 10 * 10 * 4
    assert multiply_accumulates("mixed_layers:mixed", 11, 9, (5, 5, 9)) == grouped + up + twice + 4 * 11


def test_the_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    multiply_accumulates("densenet-bc-16-4", 10, 3, (8, 8, 3))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", ["densenet-bc-16-4", "torchvision:alexnet", "torchvision:vit_b_32"])
def test_images_that_do_not_fit(name: str) -> None:
    with pytest.raises(UserError, match=rf"network {name} cannot classify images of 3 x 3 x 3: ") as caught:
        multiply_accumulates(name, 10, 3, (3, 3, 3))
    assert "\n" not in str(caught.value)
