"""The language models: what their names decide, and their parameters."""

from dataclasses import dataclass
from decimal import Decimal

from ban_ray.errors import UserError
from ban_ray.networks.architecture import decimal_text
from ban_ray.networks.modules import parameter_counts as layers

LSTM_DROPOUT, CNN_DROPOUT = Decimal("0.65"), Decimal("0.5")
"""The papers'."""

CHARACTER_UNITS = 15
_LARGE, _SMALL = (650, 7, 50, 2), (12, 6, 1, 1)
_MOST_MAPS = 200


@dataclass(frozen=True)
class LanguageArchitecture:
    """A network that reads tokens one after the other and predicts the next; dropout is a share from 0 to below 1."""

    dropout: Decimal

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise UserError(f"network {self.name}: dropout {self.dropout} is out of range; 0 to below 1 is allowed")

    @property
    def name(self) -> str:
        raise NotImplementedError

    def _suffix(self, usual: Decimal) -> str:
        return "" if self.dropout == usual else f"-d{decimal_text(self.dropout)}"


@dataclass(frozen=True)
class LSTMNetwork(LanguageArchitecture):
    """``lstm-LAYERS-UNITS``: embeddings of `units`, tied to the output, and layers of as many (ICML 2018: 2 x 1500).

    Raises:
        UserError: no layer or no unit, or a dropout that is no share.
    """

    layers: int
    units: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.layers and self.units):
            raise UserError(f"network {self.name}: at least 1 layer and 1 unit are needed")

    @property
    def name(self) -> str:
        return f"lstm-{self.layers}-{self.units}{self._suffix(LSTM_DROPOUT)}"

    def parameters(self, num_classes: int, in_channels: int) -> int:
        return layers.linear(self.units, num_classes) + self.layers * layers.lstm(self.units, self.units)


@dataclass(frozen=True)
class CharacterNetwork(LanguageArchitecture):
    """``cnn-lstm``, Kim et al. 2016's large character model, or ``cnn-lstm-UNITS``, their small one at any size.

    The small model has two LSTM layers of 300 units and 25 w maps of width w; with U units they are U / 12 times w.

    Attributes:
        units: of each LSTM layer; 0 for the large model.

    Raises:
        UserError: units that are no multiple of 12, or a dropout that is no share.
    """

    units: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.units % _SMALL[0]:
            raise UserError(f"network {self.name}: {self.units} units are no multiple of {_SMALL[0]}, which is needed")

    @property
    def name(self) -> str:
        return f"cnn-lstm{f'-{self.units}' if self.units else ''}{self._suffix(CNN_DROPOUT)}"

    @property
    def lstm_units(self) -> int:
        """Of each of the two layers."""
        return self.units or _LARGE[0]

    @property
    def maps(self) -> tuple[int, ...]:
        """Feature maps of the convolutions of width 1, 2, ..."""
        _, widest, factor, _ = _SMALL if self.units else _LARGE
        factor = factor * self.units // _SMALL[0] if self.units else factor
        most = factor * widest if self.units else _MOST_MAPS
        return tuple(min(most, factor * width) for width in range(1, widest + 1))

    @property
    def highways(self) -> int:
        return (_SMALL if self.units else _LARGE)[3]

    def parameters(self, num_classes: int, in_channels: int) -> int:
        features, units = sum(self.maps), self.lstm_units
        total = CHARACTER_UNITS * in_channels
        total += sum(layers.linear(CHARACTER_UNITS * width, maps) for width, maps in enumerate(self.maps, 1))
        total += self.highways * 2 * layers.linear(features, features)
        return total + layers.lstm(features, units) + layers.lstm(units, units) + layers.linear(units, num_classes)
