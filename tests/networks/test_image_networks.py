"""Modules of the families that read images: shapes, gradients, layers and initialisation."""

import math

import pytest
import torch
from torch import nn

from ban_ray.networks.building import build
from ban_ray.networks.families.densenet import DenseNetBC
from ban_ray.networks.modules.layers import Classifier
from tests.helpers.networks import TINY


def classifier(name: str) -> Classifier:
    network = build(name, 5)
    assert isinstance(network, Classifier)
    return network


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize(("size", "in_channels", "num_classes"), [(32, 3, 7), (28, 1, 3), (8, 4, 2)])
def test_shapes(name: str, size: int, in_channels: int, num_classes: int) -> None:
    network = build(name, num_classes, in_channels).to(memory_format=torch.channels_last)
    images = torch.randn(2, in_channels, size, size).to(memory_format=torch.channels_last)
    logits = network(images)
    assert logits.shape == (2, num_classes)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", TINY)
def test_gradient_reaches_every_parameter(name: str) -> None:
    network = build(name, 5)
    network(torch.randn(8, 3, 8, 8)).square().sum().backward()
    unreached = [path for path, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert unreached == []


@pytest.mark.parametrize("name", TINY)
def test_stem_and_classifier_are_the_first_and_last_layer_called(name: str) -> None:
    network = classifier(name).eval()
    called: list[nn.Module] = []
    for layer in network.modules():
        if not list(layer.children()):
            layer.register_forward_hook(lambda layer, *_: called.append(layer))
    network(torch.randn(1, 3, 8, 8))
    assert isinstance(called[0], nn.Conv2d)
    assert called[0] is network.stem
    assert isinstance(called[-1], nn.Linear)
    assert called[-1] is network.classifier


@pytest.mark.parametrize("name", [name for name in TINY if "@" in name])
def test_a_match_network_can_take_its_teachers_first_and_last_layer(name: str) -> None:
    teacher, student = classifier(name.partition("@")[2]), classifier(name)
    student.stem.load_state_dict(teacher.stem.state_dict())
    student.classifier.load_state_dict(teacher.classifier.state_dict())
    images, features = torch.randn(2, 3, 32, 32), torch.randn(2, teacher.classifier.in_features)
    assert torch.equal(student.stem(images), teacher.stem(images))
    assert torch.equal(student.classifier(features), teacher.classifier(features))


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("densenet-bc-16-4", [32, 16, 8]),
        ("wide-resnet-16-2", [32, 16, 8]),
        ("pre-resnet-20", [32, 16, 8]),
        ("match-wide-resnet-2-1@densenet-bc-16-8", [32, 16, 8]),
    ],
)
def test_three_by_three_convolutions_see_three_sizes(name: str, sides: list[int]) -> None:
    network = build(name, 5).eval()
    seen: list[int] = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
            layer.register_forward_hook(lambda _, __, output: seen.append(output.shape[-1]))
    network(torch.randn(1, 3, 32, 32))
    assert seen == sorted(seen, reverse=True)
    assert sorted(set(seen), reverse=True) == sides


def test_dropout_sits_between_the_convolutions_of_wide_resnets_alone() -> None:
    network = build("wide-resnet-16-2", 5)
    leaves = [layer for layer in network.modules() if not list(layer.children())]
    positions = [position for position, layer in enumerate(leaves) if isinstance(layer, nn.Dropout)]
    assert len(positions) == 6
    for position in positions:
        kinds = [type(layer) for layer in leaves[position - 3 : position + 2]]
        assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Dropout, nn.Conv2d]
        assert leaves[position].p == 0.3
    for name in TINY:
        has_dropout = any(isinstance(layer, nn.Dropout) for layer in build(name, 5).modules())
        assert has_dropout == name.startswith("wide-resnet")


def test_initialisation() -> None:
    network = build("wide-resnet-10-4", 10)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.weight.numel() > 5000:
            expected = math.sqrt(2 / (layer.kernel_size[0] ** 2 * layer.out_channels))
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.05)
        elif isinstance(layer, nn.Linear):
            assert not layer.bias.any()


@pytest.mark.parametrize(
    "name", ["match-densenet-2-0.5-1@densenet-bc-16-8", "match-wide-resnet-2-0.5@densenet-bc-16-8"]
)
def test_stage_borders_have_the_matched_networks_widths(name: str) -> None:
    def borders(name: str) -> list[int]:
        network = classifier(name).eval()
        seen: list[int] = []
        for layer in network.modules():
            if isinstance(layer, nn.AvgPool2d):
                layer.register_forward_hook(lambda _, __, output: seen.append(output.shape[1]))
        network(torch.randn(1, 3, 8, 8))
        return [network.stem.out_channels, *seen, network.classifier.in_features]

    assert borders(name) == borders("densenet-bc-16-8") == list(DenseNetBC(16, 8).widths)
