"""Parameter counts: the papers' table, the closed forms, and published anchors."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ban_ray.networks.architecture import Architecture
from ban_ray.networks.building import build
from ban_ray.networks.modules.layers import Classifier
from ban_ray.networks.paper_counts import PAPER_COUNTS, PaperCount
from ban_ray.networks.registry import parse
from tests.helpers.networks import PAPERS, architectures


def built(name: str, num_classes: int, in_channels: int = 3) -> nn.Module:
    with torch.device("meta"):
        return build(name, num_classes, in_channels)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("name", "millions"), [(name, millions) for name, millions, _ in PAPERS])
def test_the_papers_networks(name: str, millions: str) -> None:
    parameters = count(built(name, 100))
    assert f"{parameters / 1e6:.3f}" == millions
    assert parse(name).parameters(100, 3) == parameters


def test_every_network_of_the_papers_is_published_data() -> None:
    images = [row.name for row in PAPER_COUNTS if row.classes == 100]
    assert images == [name for name, _, _ in PAPERS]
    assert {row.name for row in PAPER_COUNTS} - set(images) == {"cnn-lstm", "lstm-2-1500"}


@pytest.mark.parametrize("row", PAPER_COUNTS, ids=lambda row: row.name)
def test_a_deviation_above_two_percent_is_explained(row: PaperCount) -> None:
    deviation = parse(row.name).parameters(row.classes, row.channels) / (row.millions * 1e6) - 1
    assert (abs(deviation) > 0.02) == bool(row.deviation)


def test_the_stated_explanations_hold() -> None:
    without_third_transition = _plain(106, 33, 100)
    assert f"{without_third_transition / 1e6:.3f}" == "6.361"
    assert f"{2 * parse('match-densenet-14-1-3').parameters(100, 3) / 1e6:.1f}" == "80.5"


def _plain(depth: int, growth: int, num_classes: int) -> int:
    """Huang et al.'s network: ours without the third transition, its head on that transition's input."""
    network = built(f"densenet-bc-{depth}-{growth}", num_classes)
    assert isinstance(network, Classifier)
    *body, transition = network.body
    assert isinstance(transition, nn.Sequential)
    norm = transition[0]
    assert isinstance(norm, nn.BatchNorm2d)
    channels = norm.num_features
    return sum(map(count, (network.stem, *body, nn.BatchNorm2d(channels), nn.Linear(channels, num_classes))))


@pytest.mark.parametrize(("depth", "growth", "millions"), [(100, 12, "0.77"), (250, 24, "15.3"), (190, 40, "25.6")])
def test_huang_et_al_anchors(depth: int, growth: int, millions: str) -> None:
    digits = len(millions.partition(".")[2])
    assert f"{_plain(depth, growth, 10) / 1e6:.{digits}f}" == millions


@pytest.mark.parametrize(("name", "millions"), [("wide-resnet-40-1", "0.6"), ("wide-resnet-16-8", "11.0")])
def test_zagoruyko_and_komodakis_anchors(name: str, millions: str) -> None:
    assert f"{parse(name).parameters(10, 3) / 1e6:.1f}" == millions


def test_match_densenet_14_1_2_is_densenet_90_60() -> None:
    first, second = built("match-densenet-14-1-2", 100), built("densenet-bc-90-60", 100)
    assert [(name, p.shape) for name, p in first.named_parameters()] == [
        (name, p.shape) for name, p in second.named_parameters()
    ]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(architectures, st.integers(1, 12), st.integers(1, 4))
def test_random_closed_forms(architecture: Architecture, num_classes: int, in_channels: int) -> None:
    module = built(architecture.name, num_classes, in_channels)
    assert architecture.parameters(num_classes, in_channels) == count(module)
