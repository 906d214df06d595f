"""An LSTM with tied embeddings (Zaremba et al. 2014 with Press and Wolf 2017's tying; ICML 2018, Table 6).

ICML 2018 says one layer of 1500 units, which tied would be 33.0 M parameters; two are 51.03 M at 10,000 words, near the
printed 52 M.
"""

from torch import Tensor, nn

from ban_ray.networks.families.language import LSTMNetwork
from ban_ray.networks.modules.recurrent import LSTMStack, TiedOutput, initialise_uniformly

BOUND = 0.04


class LSTMLanguageModel(nn.Module):
    """Tokens (t, b) to logits (t * b, num_classes), step by step; see `LSTMStack` for the state between calls.

    Dropout on each layer's input and before the output.
    """

    def __init__(self, num_classes: int, layers: int, units: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_classes, units)
        self.stack = LSTMStack(units, units, [dropout] * layers)
        self.dropout = nn.Dropout(dropout)
        self.output = TiedOutput(num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        features = self.dropout(self.stack(self.embedding(tokens)))
        logits: Tensor = self.output(features.flatten(0, 1), self.embedding.weight)
        return logits


def build(architecture: LSTMNetwork, num_classes: int, in_channels: int) -> LSTMLanguageModel:
    """A freshly initialised model; words are looked up whole, so that `in_channels` is of no use to it."""
    network = LSTMLanguageModel(num_classes, architecture.layers, architecture.units, float(architecture.dropout))
    initialise_uniformly(network, BOUND)
    return network
