"""A character-aware language model: convolutions over each word's characters, highways, LSTM (Kim et al. 2016).

Dropout is on the second LSTM layer's input and before the output, not between highway and LSTM, as in their paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from ban_ray.errors import UserError
from ban_ray.networks.architecture import Architecture, register
from ban_ray.networks.modules import parameter_counts
from ban_ray.networks.names import DECIMAL, check_dropout, decimal_text

if TYPE_CHECKING:
    from torch import nn

DROPOUT = Decimal("0.5")
"""The paper's."""

EMBEDDING = 15
"""Numbers that a character is embedded into."""


@register
@dataclass(frozen=True)
class CharacterNetwork(Architecture):
    """``cnn-lstm``, Kim et al. 2016's large character model, or ``cnn-lstm-UNITS``, their small one at any size.

    The large model has two LSTM layers of 650 units, two highways and min(200, 50 w) maps of width w = 1 to 7. The
    small model has two LSTM layers of 300 units, one highway and 25 w maps of width w = 1 to 6; with U units it has
    U / 12 times w.

    Attributes:
        units: of each LSTM layer; 0 for the large model.
        dropout: the share that is dropped.

    Raises:
        UserError: units that are no multiple of 12, or a dropout that is not from 0 to below 1.
    """

    FORM = "cnn-lstm[-UNITS][-dDROPOUT]"
    PATTERN = rf"cnn-lstm(?:-0*([1-9][0-9]{{0,3}}))?(?:-d{DECIMAL})?"
    reads = "text"

    units: int = 0
    dropout: Decimal = DROPOUT

    def __post_init__(self) -> None:
        check_dropout(self.name, self.dropout)
        if self.units % 12:
            raise UserError(f"network {self.name}: {self.units} units are no multiple of 12, which is needed")

    @property
    def name(self) -> str:
        suffix = "" if self.dropout == DROPOUT else f"-d{decimal_text(self.dropout)}"
        return f"cnn-lstm{f'-{self.units}' if self.units else ''}{suffix}"

    @property
    def lstm_units(self) -> int:
        """Units of each of the two LSTM layers."""
        return self.units or 650

    @property
    def maps(self) -> tuple[int, ...]:
        """Feature maps of the convolutions of width 1, 2, ..."""
        if self.units:
            return tuple(self.units // 12 * width for width in range(1, 7))
        return tuple(min(200, 50 * width) for width in range(1, 8))

    @property
    def highways(self) -> int:
        """Highway layers between the convolutions and the LSTM."""
        return 1 if self.units else 2

    def parameters(self, num_classes: int, in_channels: int) -> int:
        linear, lstm = parameter_counts.linear, parameter_counts.lstm
        features, units = sum(self.maps), self.lstm_units
        total = EMBEDDING * in_channels
        total += sum(linear(EMBEDDING * width, maps) for width, maps in enumerate(self.maps, 1))
        total += self.highways * 2 * linear(features, features)
        return total + lstm(features, units) + lstm(units, units) + linear(units, num_classes)

    def build(self, num_classes: int, in_channels: int) -> nn.Module:
        """The words are not spelled yet; `in_channels` is the number of characters."""
        from ban_ray.networks.modules.character_cnn import CharacterLanguageModel

        return CharacterLanguageModel(
            num_classes,
            in_channels,
            embedding=EMBEDDING,
            maps=self.maps,
            highways=self.highways,
            units=self.lstm_units,
            dropout=float(self.dropout),
        )
