"""timm's models, where it is installed."""

import sys
from typing import Any

import pytest
import torch

from ban_ray.errors import UserError
from ban_ray.networks.building import build
from ban_ray.networks.families.timm import TimmNetwork
from ban_ray.networks.head import head_names
from ban_ray.networks.registry import parse

REASON = "timm is not installed (the extra `timm`)"


@pytest.fixture
def timm() -> Any:
    return pytest.importorskip("timm", reason=REASON)


def test_a_name_is_read_without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    assert parse("timm:ViT_tiny_patch16_224.augreg_in21k").name == "timm:vit_tiny_patch16_224.augreg_in21k"
    with pytest.raises(UserError, match=r"network timm:resnet18 needs timm \(.*\); pip install 'ban-ray\[timm\]'"):
        build("timm:resnet18", 10)


def test_the_model_is_timms_bit_for_bit(timm: Any) -> None:
    torch.manual_seed(2)
    ours = build("timm:test_resnet", 10, 1)
    torch.manual_seed(2)
    theirs = timm.create_model("test_resnet", num_classes=10, in_chans=1)
    assert type(ours) is type(theirs)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_counts(timm: Any) -> None:
    # timm's results tables: ViT-Ti/16 has 5.72 million parameters at 1000 classes, ResNet-18 11.69 million.
    assert parse("timm:vit_tiny_patch16_224").parameters(1000, 3) == 5_717_416
    assert parse("timm:resnet18").parameters(1000, 3) == 11_689_512
    # Of 10 classes, an 8x8 grid of 4x4 patches with a class token.
    small = parse("timm:vit_tiny_patch16_224", {"img_size": 32, "patch_size": 4})
    blocks = 12 * (2 * 2 * 192 + 3 * 192 * 193 + 192 * 193 + 768 * 193 + 192 * 769)
    assert small.parameters(10, 3) == 192 * (3 * 16 + 1) + 65 * 192 + 192 + blocks + 2 * 192 + 10 * 193


def test_a_vision_transformer_of_small_images(timm: Any) -> None:
    network = build("timm:vit_tiny_patch16_224", 7, 3, {"img_size": 32, "patch_size": 4, "depth": 2})
    assert network(torch.randn(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("test_vit", {"head.weight", "head.bias"}),
        ("test_resnet", {"fc.weight", "fc.bias"}),
        ("test_convnext", {"head.fc.weight", "head.fc.bias"}),
        ("deit_tiny_distilled_patch16_224", {f"head{d}.{n}" for d in ("", "_dist") for n in ("weight", "bias")}),
    ],
)
def test_heads_are_what_timm_says(timm: Any, name: str, head: set[str]) -> None:
    with torch.device("meta"):
        assert head_names(build(f"timm:{name}", 6), 6) == head


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("resnet19", {}, r"has no model 'resnet19'; the nearest: resnet\d+.*; timm.list_models\(\) names all"),
        ("test_resnet", {"pretrained": True}, "may not hold pretrained; --pretrained says what"),
        ("test_resnet", {"in_chans": 1}, "may not hold in_chans"),
        ("test_resnet", {"width": 3}, r"cannot be built with the arguments \{\"width\": 3\}"),
        ("test_vit", {"img_size": "a"}, "cannot be built"),
    ],
)
def test_what_is_refused(timm: Any, name: str, arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        parse(f"timm:{name}", arguments).parameters(10, 3)
    assert "\n" not in str(caught.value)


def test_default_weights_come_with_their_statistics(timm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is fetched is made up here; arguments and channels reach timm, and the classes are the weights' own."""
    architecture = parse("timm:test_vit", {"img_size": 32})
    real, seen = timm.create_model, []

    def create_model(name: str, pretrained: bool = False, **arguments: Any) -> Any:
        seen.append((pretrained, arguments))
        return real(name, **arguments)

    monkeypatch.setattr(timm, "create_model", create_model)
    offered = architecture.default_weights(10, 1)
    assert seen == [(True, {"in_chans": 1, "img_size": 32})]
    assert offered.tensors["head.weight"].shape[0] == 1000
    assert (offered.mean, offered.deviation) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_default_weights_that_are_not_there(timm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="has no model 'resnet19'"):
        parse("timm:resnet19").default_weights(10, 3)
    with pytest.raises(UserError, match="timm has no pretrained weights of it; a FILE or a KEY is allowed"):
        parse("timm:vit_small_patch16_18x2_224").default_weights(10, 3)

    def fail(*_: Any, **__: Any) -> Any:
        raise FileNotFoundError("no connection\nto the Hub")

    monkeypatch.setattr(timm, "create_model", fail)
    architecture = parse("timm:test_resnet")
    assert isinstance(architecture, TimmNetwork)
    with pytest.raises(UserError, match=r"its weights cannot be fetched: FileNotFoundError: no connection to the Hub$"):
        architecture.default_weights(10, 3)
