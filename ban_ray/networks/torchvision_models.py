"""torchvision's classification models, without weights."""

import torch
import torchvision
from torch import nn

from ban_ray.errors import UserError
from ban_ray.networks.shapes.foreign import TorchvisionNetwork

# With the heads that answer in training only, these two would return a tuple; without `init_weights` they warn
# of a default that may change.
_ONE_OUTPUT = {"aux_logits": False, "init_weights": True}
_NEEDED = {"googlenet": _ONE_OUTPUT, "inception_v3": _ONE_OUTPUT}


def build(architecture: TorchvisionNetwork, num_classes: int, in_channels: int) -> nn.Module:
    """The model with torchvision's own initialisation: (b, in_channels, h, w) to logits (b, num_classes).

    Which h and w it takes is the model's affair: most are made for 224, and vision transformers for one size,
    which an argument sets (``image_size``). At other than 3 channels the first convolution is replaced by one
    whose weights are normal with the standard deviation of the replaced ones.

    Raises:
        UserError: no classification model of that name, or arguments that it refuses.
    """
    name, model = architecture.name, architecture.function
    allowed = torchvision.models.list_models(module=torchvision.models)
    if model not in allowed:
        raise UserError(
            f"network {name}: torchvision {torchvision.__version__} has no classification model {model!r}; "
            f"it has {', '.join(allowed)}"
        )
    if "weights" in architecture.arguments:
        raise UserError(
            f"network {name}: the arguments may not hold weights, since every member is trained from scratch"
        )
    try:
        module: nn.Module = torchvision.models.get_model(
            model,
            weights=None,
            num_classes=num_classes,
            **{**_NEEDED.get(model, {}), **architecture.arguments},
        )
    except (TypeError, ValueError) as error:
        raise UserError(
            f"network {name} cannot be built with the arguments {architecture.arguments_text}: {error}"
        ) from error
    if in_channels != 3:
        _replace_first_convolution(module, in_channels)
    return module


def _replace_first_convolution(module: nn.Module, in_channels: int) -> None:
    path, old = next((path, layer) for path, layer in module.named_modules() if isinstance(layer, nn.Conv2d))
    new = nn.Conv2d(
        in_channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        stride=old.stride,  # type: ignore[arg-type]
        padding=old.padding,  # type: ignore[arg-type]
        dilation=old.dilation,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    with torch.no_grad():
        nn.init.normal_(new.weight)
        new.weight.mul_(old.weight.std())
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias)
    parent, _, attribute = path.rpartition(".")
    setattr(module.get_submodule(parent), attribute, new)
