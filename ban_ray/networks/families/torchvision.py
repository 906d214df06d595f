"""torchvision's classification models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ban_ray.errors import UserError
from ban_ray.networks.architecture import ExternalNetwork, LibraryWeights, register
from ban_ray.networks.names import arguments_text, one_line

if TYPE_CHECKING:
    from torch import nn

# With the heads that answer in training only, these two would return a tuple; without `init_weights` they warn
# of a default that may change.
_SINGLE_OUTPUT = {"aux_logits": False, "init_weights": True}
_REQUIRED = {"googlenet": _SINGLE_OUTPUT, "inception_v3": _SINGLE_OUTPUT}


@register
class TorchvisionNetwork(ExternalNetwork):
    """``torchvision:MODEL``, a classification model of ``torchvision.models``."""

    FORM = "torchvision:MODEL"
    PATTERN = r"torchvision:([A-Za-z0-9_]+)"

    @classmethod
    def from_groups(cls, *groups: str | None) -> Self:
        return cls("torchvision", str(groups[0]).lower())

    def build(self, num_classes: int, in_channels: int) -> nn.Module:
        """The model with torchvision's own initialisation: (b, in_channels, h, w) to logits (b, num_classes).

        The model decides which h and w it takes: most are made for 224, and vision transformers for one size, which an
        argument sets (``image_size``). At other than 3 channels the first convolution's weights are replaced by normal
        ones of the same standard deviation.

        Raises:
            RuntimeError, MemoryError: of torch, as it is.
            UserError: no classification model of that name, or arguments that it refuses.
        """
        self._require()
        required = _REQUIRED.get(self.function, {})
        network = self._create(num_classes, **required)
        if in_channels != 3:
            _replace_first_convolution(network, in_channels)
        return network

    def default_weights(self, num_classes: int, in_channels: int) -> LibraryWeights:
        """The weights that torchvision calls ``DEFAULT``.

        They are a pickle, of which torch's reader takes tensors alone (``weights_only=True``), and whose file name has
        the beginning of its digest, which is checked.
        """
        self._require()
        if self.function in _REQUIRED:
            raise UserError(
                f"network {self.name}: torchvision's weights are of a network with other outputs and inputs; a FILE or "
                "a KEY is allowed"
            )
        import torchvision

        weights = torchvision.models.get_model_weights(self.function).DEFAULT
        try:
            tensors = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
        except Exception as error:
            # Of the network, the disk and the reader.
            raise UserError(f"network {self.name}: its weights cannot be fetched: {one_line(error)}") from error
        transform = weights.transforms()
        return LibraryWeights(tensors, tuple(transform.mean), tuple(transform.std))

    def _require(self) -> None:
        """Raises UserError: torchvision has no such model, or the arguments hold weights."""
        # Here, since its import takes as long as torch's own and few runs need it.
        import torchvision

        allowed = torchvision.models.list_models(module=torchvision.models)
        if self.function not in allowed:
            raise UserError(
                f"network {self.name}: torchvision {torchvision.__version__} has no classification model "
                f"{self.function!r}; it has {', '.join(allowed)}"
            )
        if "weights" in self.arguments:
            raise UserError(
                f"network {self.name}: the arguments may not hold weights; --pretrained says what a network starts from"
            )

    def _create(self, num_classes: int, **required: bool) -> nn.Module:
        import torchvision

        try:
            network: nn.Module = torchvision.models.get_model(
                self.function, weights=None, num_classes=num_classes, **{**required, **self.arguments}
            )
        except (RuntimeError, MemoryError):
            raise
        except Exception as error:
            raise UserError(
                f"network {self.name} cannot be built with the arguments {arguments_text(self.arguments)}: "
                f"{one_line(error)}"
            ) from error
        return network


def _replace_first_convolution(network: nn.Module, in_channels: int) -> None:
    import torch

    first = next(layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d))
    with torch.no_grad():
        weight = torch.randn(first.out_channels, in_channels, *first.kernel_size) * first.weight.std()
    first.in_channels = in_channels
    first.weight = torch.nn.Parameter(weight)
