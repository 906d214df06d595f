"""An LSTM with tied embeddings (Zaremba et al. 2014 with Press and Wolf 2017's tying; ICML 2018, Table 6).

ICML 2018 says one layer of 1500 units, which tied would be 33.0 M parameters; two are 51.03 M at 10,000 words, near the
printed 52 M.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from ban_ray.errors import UserError
from ban_ray.networks.architecture import Architecture, register
from ban_ray.networks.modules import parameter_counts
from ban_ray.networks.names import DECIMAL, WHOLE, check_dropout, decimal_text

if TYPE_CHECKING:
    from torch import nn

DROPOUT = Decimal("0.65")
"""The paper's."""


@register
@dataclass(frozen=True)
class LSTMNetwork(Architecture):
    """``lstm-LAYERS-UNITS[-dDROPOUT]``: embeddings of `units`, tied to the output, and layers of as many.

    Words are looked up whole, so that their characters have no effect. Initialised uniformly between -0.04 and 0.04.

    Attributes:
        dropout: the share that is dropped of each layer's input and before the output.

    Raises:
        UserError: no layer or no unit, or a dropout that is not from 0 to below 1.
    """

    FORM = "lstm-LAYERS-UNITS[-dDROPOUT]"
    PATTERN = rf"lstm-{WHOLE}-{WHOLE}(?:-d{DECIMAL})?"
    reads = "text"

    layers: int
    units: int
    dropout: Decimal = DROPOUT

    def __post_init__(self) -> None:
        check_dropout(self.name, self.dropout)
        if not (self.layers and self.units):
            raise UserError(f"network {self.name}: at least 1 layer and 1 unit are needed")

    @property
    def name(self) -> str:
        suffix = "" if self.dropout == DROPOUT else f"-d{decimal_text(self.dropout)}"
        return f"lstm-{self.layers}-{self.units}{suffix}"

    def parameters(self, num_classes: int, in_channels: int) -> int:
        return parameter_counts.linear(self.units, num_classes) + self.layers * parameter_counts.lstm(
            self.units, self.units
        )

    def build(self, num_classes: int, in_channels: int) -> nn.Module:
        from ban_ray.networks.modules.recurrent import LSTMLanguageModel

        return LSTMLanguageModel(num_classes, self.layers, self.units, float(self.dropout))
