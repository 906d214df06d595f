"""Words read by their characters: convolutions, highways, LSTM (Kim et al. 2016).

Dropout is on the second LSTM layer's input and before the output, not between highway and LSTM, as in their paper.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ban_ray.networks.families.language import CHARACTER_UNITS, CharacterNetwork
from ban_ray.networks.modules.recurrent import LSTMStack, initialise_uniformly

BOUND = 0.05
GATE_BIAS = -2.0
PADDING = 0
LONGEST = 21
"""Characters of Penn Treebank's longest word with its marks: the table's width until a vocabulary is spelled."""


class Highway(nn.Module):
    """(n, features) to the same, part transformed and part carried (Srivastava et al. 2015)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.transform = nn.Linear(features, features)
        self.gate = nn.Linear(features, features)

    def forward(self, x: Tensor) -> Tensor:
        share = torch.sigmoid(self.gate(x))
        return share * torch.relu(self.transform(x)) + (1 - share) * x


class CharacterCNN(nn.Module):
    """Words (n,) to features (n, sum of maps): tanh of convolutions over characters, their largest value in the word.

    `spellings` (num_classes, length) says of which characters each word is made; 0 is no character. It is a part of
    the weights, so that a published network is whole.
    """

    spellings: Tensor

    def __init__(self, num_classes: int, characters: int, maps: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("spellings", torch.zeros(num_classes, LONGEST, dtype=torch.int64))
        self.characters = nn.Embedding(characters, CHARACTER_UNITS, padding_idx=PADDING)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(CHARACTER_UNITS, outputs, width) for width, outputs in enumerate(maps, 1)
        )

    def forward(self, words: Tensor) -> Tensor:
        spelled = self.characters(self.spellings[words]).transpose(1, 2)
        return torch.cat([torch.tanh(layer(spelled)).amax(2) for layer in self.convolutions], 1)

    def set_vocabulary(self, spellings: Tensor) -> None:
        """Take a vocabulary's table (num_classes, length), widened to the widest convolution where it is narrower."""
        lacking = len(self.convolutions) - spellings.shape[1]
        self.spellings = nn.functional.pad(spellings, (0, max(0, lacking))).to(self.spellings.device)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """A table of any width is taken as it is."""
        given = state_dict.get(f"{prefix}spellings")
        if given is not None and given.ndim == 2 and len(given) == len(self.spellings):
            self.spellings = self.spellings.new_zeros(given.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)


class CharacterLanguageModel(nn.Module):
    """Tokens (t, b) to logits (t * b, num_classes), step by step; see `LSTMStack` for the state between calls."""

    def __init__(self, architecture: CharacterNetwork, num_classes: int, characters: int) -> None:
        super().__init__()
        features, units, dropout = sum(architecture.maps), architecture.lstm_units, float(architecture.dropout)
        self.words = CharacterCNN(num_classes, characters, architecture.maps)
        self.highways = nn.Sequential(*(Highway(features) for _ in range(architecture.highways)))
        self.stack = LSTMStack(features, units, [0.0, dropout])
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(units, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        features = self.highways(self.words(tokens.flatten())).unflatten(0, tokens.shape)
        logits: Tensor = self.output(self.dropout(self.stack(features)).flatten(0, 1))
        return logits


def build(architecture: CharacterNetwork, num_classes: int, in_channels: int) -> CharacterLanguageModel:
    """A freshly initialised model of words that are not spelled yet; `in_channels` is the number of characters."""
    network = CharacterLanguageModel(architecture, num_classes, in_channels)
    initialise_uniformly(network, BOUND)
    with torch.no_grad():
        network.words.characters.weight[PADDING] = 0
        for layer in network.highways:
            assert isinstance(layer, Highway)
            layer.gate.bias.add_(GATE_BIAS)
    return network
