"""torchvision's classification models, without weights."""

import torch
from torch import nn

from ban_ray.errors import UserError
from ban_ray.networks.families.external import TorchvisionNetwork, one_line

# With the heads that answer in training only, these two would return a tuple; without `init_weights` they warn
# of a default that may change.
_ONE_OUTPUT = {"aux_logits": False, "init_weights": True}
_NEEDED = {"googlenet": _ONE_OUTPUT, "inception_v3": _ONE_OUTPUT}


def build(architecture: TorchvisionNetwork, num_classes: int, in_channels: int) -> nn.Module:
    """The model with torchvision's own initialisation: (b, in_channels, h, w) to logits (b, num_classes).

    Which h and w it takes is the model's affair: most are made for 224, and vision transformers for one size,
    which an argument sets (``image_size``). At other than 3 channels the first convolution's
    weights are replaced by normal ones of the same standard deviation.

    Raises:
        RuntimeError, MemoryError: of torch, as it is.
        UserError: no classification model of that name, or arguments that it refuses.
    """
    # Here, since its import takes as long as torch's own and few runs need it.
    import torchvision

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
    except (RuntimeError, MemoryError):
        raise
    except Exception as error:
        raise UserError(
            f"network {name} cannot be built with the arguments {architecture.arguments_text}: {one_line(error)}"
        ) from error
    if in_channels != 3:
        _adapt_first_convolution(module, in_channels)
    return module


def _adapt_first_convolution(module: nn.Module, in_channels: int) -> None:
    first = next(layer for layer in module.modules() if isinstance(layer, nn.Conv2d))
    with torch.no_grad():
        weight = torch.randn(first.out_channels, in_channels, *first.kernel_size) * first.weight.std()
    first.in_channels = in_channels
    first.weight = nn.Parameter(weight)
