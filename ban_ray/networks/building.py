"""From a network's name to its module."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from ban_ray.errors import UserError
from ban_ray.networks import densenet, match_densenet, match_resnet, own, pre_resnet, torchvision_models, wide_resnet
from ban_ray.networks.modules import character_cnn, lstm
from ban_ray.networks.modules.character_cnn import CharacterLanguageModel
from ban_ray.networks.modules.dense_unit import DenseUnit
from ban_ray.networks.modules.layers import initialise
from ban_ray.networks.registry import (
    Architecture,
    CharacterNetwork,
    CustomNetwork,
    DenseNetBC,
    LSTMNetwork,
    MatchDenseNet,
    MatchPreResNet,
    MatchWideResNet,
    PreResNet,
    TorchvisionNetwork,
    WideResNet,
    check_fits,
    parse,
)
from ban_ray.networks.source_version import require_version
from ban_ray.tasks.task_data import TaskData
from ban_ray.tasks.text_data import TextData

_Builder = Callable[[Any, int, int], nn.Module]

_DENSE: dict[type, _Builder] = {DenseNetBC: densenet.build, MatchDenseNet: match_densenet.build}
_OURS: dict[type, _Builder] = {
    **_DENSE,
    WideResNet: wide_resnet.build,
    PreResNet: pre_resnet.build,
    MatchWideResNet: match_resnet.build_wide,
    MatchPreResNet: match_resnet.build_pre,
}
_LANGUAGE: dict[type, _Builder] = {LSTMNetwork: lstm.build, CharacterNetwork: character_cnn.build}
_FOREIGN: dict[type, _Builder] = {CustomNetwork: own.build, TorchvisionNetwork: torchvision_models.build}
_INITIALISED = _LANGUAGE | _FOREIGN


def build(
    name: str,
    num_classes: int,
    in_channels: int = 3,
    arguments: Mapping[str, object] | None = None,
    *,
    version: str = "",
    recompute: bool = False,
) -> nn.Module:
    """A freshly initialised network: (b, in_channels, h, w) to logits (b, num_classes).

    A language model takes tokens (t, b) to logits (t * b, num_classes), step by step; `num_classes` is the size of its
    vocabulary, whose words are spelled with `in_channels` characters. Random numbers come from torch's global
    generator; on the meta device nothing is allocated.

    Args:
        name: one of the forms of `ban_ray.networks.registry`.
        arguments: passed to a builder outside this package.
        version: of a builder of the user's, as generations have it; where it was computed from code, no other is built.
        recompute: keep fewer activations of dense units and compute them again in the backward pass: the same
            bits, less memory, more time.

    Raises:
        UserError: an unknown name, numbers out of range, arguments that are not taken, a builder that fails or is of
            another version, or `recompute` for a network without dense units.
    """
    architecture = parse(name, arguments)
    require_version(architecture, version)
    return build_architecture(architecture, num_classes, in_channels, recompute=recompute)


def build_architecture(
    architecture: Architecture, num_classes: int, in_channels: int, *, recompute: bool = False
) -> nn.Module:
    """`build` for a name that is parsed already; it raises the same errors."""
    kind = type(architecture)
    if recompute and kind not in _DENSE:
        raise UserError(
            f"network {architecture.name} has no dense units to recompute; only densenet-bc-... and "
            "match-densenet-... can be recomputed"
        )
    if kind in _INITIALISED:
        return _INITIALISED[kind](architecture, num_classes, in_channels)
    module = _OURS[kind](architecture, num_classes, in_channels)
    initialise(module)
    for layer in module.modules():
        if isinstance(layer, DenseUnit):
            layer.recompute = recompute
    return module


def build_for(
    data: TaskData,
    name: str,
    arguments: Mapping[str, object] | None = None,
    *,
    version: str = "",
    recompute: bool = False,
) -> nn.Module:
    """`build` for a task's data; a network that reads words by their characters is told how they are spelled.

    Args:
        recompute: as of `build`; a network without dense units is built as ever.

    Raises:
        UserError: as `build` does, or the network does not read such data.
    """
    architecture = parse(name, arguments)
    check_fits(architecture, data.task)
    recompute = recompute and type(architecture) in _DENSE
    network = build(name, data.num_classes, data.in_channels, arguments, version=version, recompute=recompute)
    if isinstance(data, TextData) and isinstance(network, CharacterLanguageModel):
        network.words.set_vocabulary(data.spellings())
    return network
