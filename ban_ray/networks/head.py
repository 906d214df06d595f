"""The head of a network: the layer that makes its logits."""

from torch import Tensor, nn


def head_names(network: nn.Module, num_classes: int) -> frozenset[str]:
    """Names of the parameters of a network's head; empty where no layer is known to be one.

    A model of timm says it itself (``pretrained_cfg["classifier"]``, of distilled ones two layers). Of any other it is
    the last linear or convolutional layer in the module's order that has an output for each class.
    """
    config = getattr(network, "pretrained_cfg", None)
    stated = config.get("classifier") if isinstance(config, dict) else None
    layers = [name for name, layer in network.named_modules() if _outputs(layer) == num_classes][-1:]
    if stated:
        modules = dict(network.named_modules())
        layers = [name for name in ([stated] if isinstance(stated, str) else stated) if name in modules] or layers
    return frozenset(
        f"{layer}.{name}" if layer else name
        for layer in layers
        for name, _ in network.get_submodule(layer).named_parameters()
    )


def head_parameters(network: nn.Module, num_classes: int) -> list[Tensor]:
    """The parameters of a network's head; empty where no layer is known to be one."""
    names = head_names(network, num_classes)
    return [parameter for name, parameter in network.named_parameters() if name in names]


def _outputs(layer: nn.Module) -> int | None:
    if isinstance(layer, nn.Linear):
        return layer.out_features
    return layer.out_channels if isinstance(layer, nn.Conv2d) else None
