"""A language model that reads words by their characters: convolutions, highways, LSTM (Kim et al. 2016)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ban_ray.networks.modules.recurrent import LSTMStack, initialise_uniformly

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

    `spellings` (num_classes, length) holds the characters of each word, where 0 is no character. It is a part of the
    weights, so that a published network is complete.
    """

    spellings: Tensor

    def __init__(self, num_classes: int, characters: int, embedding: int, maps: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("spellings", torch.zeros(num_classes, LONGEST, dtype=torch.int64))
        self.characters = nn.Embedding(characters, embedding, padding_idx=PADDING)
        self.convolutions = nn.ModuleList(nn.Conv1d(embedding, outputs, width) for width, outputs in enumerate(maps, 1))

    def forward(self, words: Tensor) -> Tensor:
        spelled = self.characters(self.spellings[words]).transpose(1, 2)
        return torch.cat([torch.tanh(layer(spelled)).amax(2) for layer in self.convolutions], 1)

    def set_vocabulary(self, spellings: Tensor) -> None:
        """Take a vocabulary's table (num_classes, length), padded to the widest convolution where it is narrower."""
        missing = len(self.convolutions) - spellings.shape[1]
        self.spellings = nn.functional.pad(spellings, (0, max(0, missing))).to(self.spellings.device)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Accept a table of any width."""
        table = state_dict.get(f"{prefix}spellings")
        if table is not None and table.ndim == 2 and len(table) == len(self.spellings):
            self.spellings = self.spellings.new_zeros(table.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)


class CharacterLanguageModel(nn.Module):
    """Tokens (t, b) to logits (t * b, num_classes), step by step; see `LSTMStack` for the state between calls.

    Weights are uniform between -0.05 and 0.05, and the gates of highways 2 lower.

    Args:
        embedding: numbers that a character is embedded into.
        maps: feature maps of the convolutions of width 1, 2, ...
        units: of each of the two LSTM layers.
    """

    def __init__(
        self,
        num_classes: int,
        characters: int,
        *,
        embedding: int,
        maps: Sequence[int],
        highways: int,
        units: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.words = CharacterCNN(num_classes, characters, embedding, maps)
        self.highways = nn.Sequential(*(Highway(sum(maps)) for _ in range(highways)))
        self.stack = LSTMStack(sum(maps), units, [0.0, dropout])
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(units, num_classes)
        initialise_uniformly(self, 0.05)
        with torch.no_grad():
            self.words.characters.weight[PADDING] = 0
            for layer in self.highways:
                assert isinstance(layer, Highway)
                layer.gate.bias.sub_(2)

    def forward(self, tokens: Tensor) -> Tensor:
        features = self.highways(self.words(tokens.flatten())).unflatten(0, tokens.shape)
        logits: Tensor = self.output(self.dropout(self.stack(features)).flatten(0, 1))
        return logits
