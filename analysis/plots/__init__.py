"""Figures of a study: each file of this folder that uses `figure` adds one; `draw_all` draws those that have data."""

from analysis.plots.registry import Drawing, FigureData, draw_all, figure, registered
from analysis.plots.style import to_svg

__all__ = ["Drawing", "FigureData", "draw_all", "figure", "registered", "to_svg"]
