"""Architectures that read images: their layers are written once, and counted without torch or built with it."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, TypeVar

from ban_ray.networks.architecture import Architecture
from ban_ray.networks.modules import parameter_counts

if TYPE_CHECKING:
    from torch import nn

T = TypeVar("T", covariant=True)
L = TypeVar("L")


class Layers(Protocol[T]):
    """Makes layers: modules by `modules.layers`, where they are described, numbers of their parameters by
    `modules.parameter_counts`.
    """

    def norm_conv(self, inputs: int, outputs: int, side: int) -> T: ...
    def average_pool(self) -> T: ...
    def dense_unit(self, inputs: int, growth: int) -> T: ...
    def basic_unit(self, inputs: int, outputs: int, *, projected: bool, stride: int = 1, dropout: float = 0.0) -> T: ...
    def bottleneck_unit(self, inputs: int, inner: int, outputs: int, *, projected: bool, stride: int = 1) -> T: ...


class ImageArchitecture(Architecture):
    """A 3x3 convolution, layers in a row, and BN-ReLU-global average pool-linear."""

    @property
    @abstractmethod
    def widths(self) -> tuple[int, int, int, int]:
        """Channels after the first convolution and after each of three stages."""

    @abstractmethod
    def layers(self, make: Layers[L]) -> list[L]:
        """The layers between the first convolution and the head, from ``widths[0]`` to ``widths[3]`` channels."""

    def parameters(self, num_classes: int, in_channels: int) -> int:
        stem = parameter_counts.conv(in_channels, self.widths[0], 3)
        return stem + sum(self.layers(parameter_counts)) + parameter_counts.head(self.widths[3], num_classes)

    def build(self, num_classes: int, in_channels: int) -> "nn.Module":
        from ban_ray.networks.modules import layers

        body = self.layers(layers)
        return layers.Classifier(in_channels, self.widths[0], body, self.widths[3], num_classes)


def join_stages(make: Layers[L], widths: tuple[int, int, int, int], stages: Iterable[tuple[list[L], int]]) -> list[L]:
    """The layers of DenseNet-BC and of every Match network: three stages, each followed by a transition.

    A transition is BN-ReLU-1x1; after the first two stages a 2x2 average pool follows it, so that height and width must
    be at least 4. The third transition is not in Huang et al.'s network; the papers' parameter counts ask for it.

    Args:
        widths: channels before the first stage and after each transition.
        stages: for each stage its layers, from ``widths[stage]`` channels, and the channels that it ends with.
    """
    layers: list[L] = []
    for stage, (units, channels) in enumerate(stages):
        layers += [*units, make.norm_conv(channels, widths[stage + 1], 1)]
        if stage < 2:
            layers.append(make.average_pool())
    return layers


def dense_units(make: Layers[L], inputs: int, growth: int, units: int) -> tuple[list[L], int]:
    """A row of dense units, and the channels that it ends with."""
    return [make.dense_unit(inputs + unit * growth, growth) for unit in range(units)], inputs + units * growth
