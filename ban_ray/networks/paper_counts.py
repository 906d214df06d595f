"""The parameter counts that the papers print, of images at 100 classes and 3 channels, of text at Penn Treebank's."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PaperCount:
    """A network of the workshop paper's Tables 1 and 2, or of ICML 2018's Table 6.

    Attributes:
        classes, channels: at which it was counted: of images, or a vocabulary's words and characters.
        millions: parameters in millions, to the digits printed.
        deviation: the reason why ours is further than 2 % from it; empty where it is not.
    """

    name: str
    millions: float
    deviation: str = ""
    classes: int = 100
    channels: int = 3


PTB_WORDS, PTB_CHARACTERS = 10_000, 51
_UNKNOWN = "no natural construction gives the printed count"

PAPER_COUNTS = (
    PaperCount(
        "densenet-bc-112-33", 6.3, "the printed count is DenseNet-106-33's without the third transition (6.361 M)"
    ),
    PaperCount("densenet-bc-90-60", 16.1),
    PaperCount("densenet-bc-80-80", 22.4),
    PaperCount("densenet-bc-80-120", 50.4),
    PaperCount("pre-resnet-1001", 10.2),
    PaperCount("wide-resnet-28-10", 36),
    PaperCount("wide-resnet-28-20", 146),
    PaperCount("match-wide-resnet-1-1", 20.9),
    PaperCount("match-wide-resnet-2-1", 43.1),
    PaperCount("match-wide-resnet-4-0.5", 24.3),
    PaperCount("match-wide-resnet-4-1", 87.3),
    PaperCount("match-pre-resnet-14-0.5", 7.3, _UNKNOWN),
    PaperCount("match-pre-resnet-14-1", 17.7, _UNKNOWN),
    PaperCount("match-densenet-7-1-2", 21.2),
    PaperCount("match-densenet-14-0.5-1", 5.1),
    PaperCount("match-densenet-14-0.75-1.5", 10.1),
    PaperCount("match-densenet-14-1-3", 80.5, "ours is exactly half of the printed count"),
    PaperCount("match-densenet-28-1-2", 13.7),
    PaperCount("match-densenet-42-1-2", 12.9),
    PaperCount("match-densenet-56-1-2", 12.6),
    PaperCount("cnn-lstm", 19, classes=PTB_WORDS, channels=PTB_CHARACTERS),
    PaperCount("lstm-2-1500", 52, classes=PTB_WORDS, channels=PTB_CHARACTERS),
)
