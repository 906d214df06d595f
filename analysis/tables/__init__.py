"""Tables of a study, each in Markdown, LaTeX and CSV."""

from analysis.tables.comparisons import comparison_table, pair_table
from analysis.tables.ensembles import ensemble_table, greedy_table
from analysis.tables.measures import class_table, measure_table
from analysis.tables.sequences import sequence_table
from analysis.tables.table import Table

__all__ = [
    "Table",
    "class_table",
    "comparison_table",
    "ensemble_table",
    "greedy_table",
    "measure_table",
    "pair_table",
    "sequence_table",
]
