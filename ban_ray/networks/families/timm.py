"""The image classification models of timm, the PyTorch Image Models."""

from __future__ import annotations

import difflib
import logging
from typing import TYPE_CHECKING, Any, Self

from ban_ray.errors import UserError
from ban_ray.networks.architecture import ExternalNetwork, LibraryWeights, register
from ban_ray.networks.names import arguments_text, one_line

if TYPE_CHECKING:
    from torch import nn

_RESERVED = ("in_chans", "pretrained", "pretrained_cfg", "checkpoint_path", "features_only")
"""Arguments that the task decides, or that would load weights or make another kind of network."""


@register
class TimmNetwork(ExternalNetwork):
    """``timm:MODEL``, a model of ``timm.create_model``, such as ``timm:vit_tiny_patch16_224``.

    A tag, as in ``timm:resnet18.a1_in1k``, says which weights ``default`` are.
    """

    FORM = "timm:MODEL"
    PATTERN = r"timm:([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)"

    @classmethod
    def from_groups(cls, *groups: str | None) -> Self:
        return cls("timm", str(groups[0]).lower())

    def build(self, num_classes: int, in_channels: int) -> nn.Module:
        """The model with timm's own initialisation: (b, in_channels, h, w) to logits (b, num_classes).

        The model decides which h and w it takes; vision transformers take one size, which an argument sets
        (``img_size``, and ``patch_size`` for small images).

        Raises:
            RuntimeError, MemoryError: of torch, as it is.
            UserError: timm is not installed, has no model of that name, or refuses the arguments.
        """
        network: nn.Module = self._create(num_classes=num_classes, in_chans=in_channels)
        return network

    def default_weights(self, num_classes: int, in_channels: int) -> LibraryWeights:
        """The weights of the model's tag, with the head and the classes that they come with.

        timm fits them to the number of channels and to an image size among the arguments. It reads safetensors where
        there are some, and other files with ``weights_only=True``.
        """
        timm = self._timm()
        # timm would go on from random weights.
        if not getattr(timm.models.get_pretrained_cfg(self.function, allow_unregistered=False), "has_weights", False):
            raise UserError(f"network {self.name}: timm has no pretrained weights of it; a FILE or a KEY is allowed")
        log = logging.getLogger("huggingface_hub")
        level = log.level
        log.setLevel(logging.ERROR)
        try:
            model = self._create(pretrained=True, in_chans=in_channels)
        except (RuntimeError, MemoryError, OSError) as error:
            raise UserError(f"network {self.name}: its weights cannot be fetched: {one_line(error)}") from error
        finally:
            log.setLevel(level)
        config = model.pretrained_cfg
        return LibraryWeights(model.state_dict(), tuple(config["mean"]), tuple(config["std"]))

    def _create(self, **arguments: Any) -> Any:
        timm = self._timm()
        try:
            return timm.create_model(self.function, **{**arguments, **self.arguments})
        except (RuntimeError, MemoryError, OSError):
            raise
        except Exception as error:
            raise UserError(
                f"network {self.name} cannot be built with the arguments {arguments_text(self.arguments)}: "
                f"{one_line(error)}"
            ) from error

    def _timm(self) -> Any:
        """The library; raises UserError where it is not installed, has no such model, or an argument is reserved."""
        try:
            # Its import takes seconds.
            import timm
        except ImportError as error:
            raise UserError(
                f"network {self.name} needs timm ({one_line(error)}); pip install 'ban-ray[timm]' here and on every "
                "worker"
            ) from error
        if not timm.is_model(self.function):
            near = difflib.get_close_matches(self.function, timm.list_models(), n=3, cutoff=0.5)
            nearest = f"; the nearest: {', '.join(near)}" if near else ""
            raise UserError(
                f"network {self.name}: timm {timm.__version__} has no model {self.function!r}{nearest}; "
                "timm.list_models() names all"
            )
        for reserved in _RESERVED:
            if reserved in self.arguments:
                raise UserError(
                    f"network {self.name}: the arguments may not hold {reserved}; --pretrained says what a network "
                    "starts from, and the task how many channels there are"
                )
        return timm
