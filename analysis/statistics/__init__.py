"""Two named estimands of a gain, and the words for them.

(a) Two networks on new images: `paired_bootstrap`, `mcnemar`.
(b) The method on new seeds and new images: `crossed_interval`; `sentence` says what it found.

NumPy arrays in, numbers and text out. `analysis.statistics.comparisons` applies them to chains of a population.
"""

from analysis.statistics.crossed_interval import CrossedInterval, crossed_interval
from analysis.statistics.holm import holm
from analysis.statistics.paired_tests import McNemar, mcnemar, paired_bootstrap
from analysis.statistics.wording import interval_text, reliability, sentence

__all__ = [
    "CrossedInterval",
    "McNemar",
    "crossed_interval",
    "holm",
    "interval_text",
    "mcnemar",
    "paired_bootstrap",
    "reliability",
    "sentence",
]
