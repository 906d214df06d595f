"""Figures of a study, one a file; each function returns a Matplotlib figure that `to_svg` makes fit for a page."""

from analysis.plots.class_gains import class_gains
from analysis.plots.cost import gain_against_cost
from analysis.plots.ensemble_size import ensemble_size
from analysis.plots.generations import gains_by_generation
from analysis.plots.learning import learning_curves
from analysis.plots.lineage import lineage_tree
from analysis.plots.parameters import error_against_parameters
from analysis.plots.style import to_svg

__all__ = [
    "class_gains",
    "ensemble_size",
    "error_against_parameters",
    "gain_against_cost",
    "gains_by_generation",
    "learning_curves",
    "lineage_tree",
    "to_svg",
]
