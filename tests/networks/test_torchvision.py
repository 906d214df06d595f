"""torchvision's classification models."""

import warnings

import pytest
import torch
import torchvision
from torch import nn

from ban_ray.errors import UserError
from ban_ray.networks.building import build
from ban_ray.networks.registry import parse


def test_the_model_is_torchvisions_bit_for_bit() -> None:
    torch.manual_seed(2)
    ours = build("torchvision:squeezenet1_1", 10)
    torch.manual_seed(2)
    theirs = torchvision.models.get_model("squeezenet1_1", weights=None, num_classes=10)
    assert type(ours) is type(theirs)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_counts() -> None:
    # torchvision's documentation: 11,689,512 at 1000 classes.
    assert parse("torchvision:resnet18").parameters(1000, 3) == 11_689_512
    assert parse("torchvision:resnet18").parameters(10, 1) == 11_689_512 - 990 * 513 - 2 * 64 * 49
    assert parse("torchvision:regnet_x_400mf").parameters(1000, 3) == 5_495_976


@pytest.mark.parametrize("in_channels", [1, 4])
@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "squeezenet1_1", "vit_b_32"])
def test_other_numbers_of_channels(name: str, in_channels: int) -> None:
    arguments = {"image_size": 64} if name.startswith("vit") else {}
    with torch.device("meta"):
        module = build(f"torchvision:{name}", 6, in_channels, arguments)
        assert module(torch.zeros(2, in_channels, 64, 64)).shape == (2, 6)
    first = next(layer for layer in module.modules() if isinstance(layer, nn.Conv2d))
    assert (first.in_channels, first.weight.shape[1]) == (in_channels, in_channels)


def test_a_replaced_convolution_keeps_the_scale() -> None:
    gray, colour = (
        next(layer for layer in build("torchvision:resnet18", 10, channels).modules() if isinstance(layer, nn.Conv2d))
        for channels in (1, 3)
    )
    assert gray.weight.std().item() == pytest.approx(colour.weight.std().item(), rel=0.05)
    assert gray.weight.requires_grad


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_training_makes_one_output(name: str) -> None:
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert build(f"torchvision:{name}", 10).train()(torch.zeros(2, 3, 299, 299)).shape == (2, 10)


@pytest.mark.parametrize(
    "name", ["fcn_resnet50", "fasterrcnn_resnet50_fpn", "r3d_18", "quantized_resnet18", "raft_small", "resnet19"]
)
def test_other_models_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"has no classification model '{name}'; it has alexnet, .*resnet18") as caught:
        build(f"torchvision:{name}", 10)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"weights": "DEFAULT"}, "may not hold weights"),
        ({"width": 3}, r'cannot be built with the arguments \{"width": 3\}: .*width'),
        ({"replace_stride_with_dilation": [True]}, "replace_stride_with_dilation should be None"),
    ],
)
def test_arguments_that_are_refused(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        build("torchvision:resnet18", 10, arguments=arguments)


def test_an_image_size_that_does_not_suit() -> None:
    with pytest.raises(UserError, match=r"cannot be built .*: AssertionError: Input shape indivisible by patch size"):
        parse("torchvision:vit_b_16", {"image_size": 30}).parameters(10, 3)


def test_arguments_are_passed_on() -> None:
    narrow = parse("torchvision:resnet50", {"width_per_group": 32}).parameters(10, 3)
    assert narrow < parse("torchvision:resnet50").parameters(10, 3)
