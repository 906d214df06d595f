"""The registry of figures: a file of this folder adds one by decorating its function with `figure`."""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import matplotlib
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from analysis import plots
from analysis.data.chain_groups import ChainGroup
from analysis.plots.style import RC, to_svg
from analysis.statistics.comparison import Comparison
from analysis.statistics.ensembles import EnsembleResult

Need = Literal["comparisons", "ensembles", "classes", "histories"]


@dataclass(frozen=True)
class FigureData:
    """The data of all figures; everything but the groups may be empty.

    Attributes:
        group: the group in focus.
        groups: all groups of its task, itself among them.
        comparisons: of these groups; empty without a primary comparison.
        ensembles, classes: of `group`; see `analysis.statistics`.
        histories: of the members of `analysis.plots.learning.curve_keys`.
        note: a warning that belongs into every figure of the task.
    """

    group: ChainGroup
    groups: Sequence[ChainGroup]
    comparisons: Sequence[Comparison] = ()
    ensembles: Sequence[EnsembleResult] = ()
    classes: pd.DataFrame = field(default_factory=pd.DataFrame)
    histories: pd.DataFrame = field(default_factory=pd.DataFrame)
    note: str = ""


Draw = Callable[[FigureData], Figure | None]
D = TypeVar("D", bound=Draw)


@dataclass(frozen=True)
class Drawing:
    """An ``<svg>`` element and its caption."""

    name: str
    svg: Markup
    caption: str


@dataclass(frozen=True)
class RegisteredFigure:
    """A figure that a page shows where its `needs` are met; `order` is its place, from low to high."""

    name: str
    order: int
    needs: tuple[Need, ...]
    caption: Callable[[FigureData], str]
    draw: Draw

    def drawing(self, data: FigureData) -> Drawing | None:
        """The figure, whatever the caller's Matplotlib settings are; None where there is nothing to draw."""
        if not all(len(getattr(data, need)) for need in self.needs):
            return None
        with matplotlib.rc_context(RC):
            drawn = self.draw(data)
        caption = self.caption(data)
        return Drawing(self.name, Markup(to_svg(drawn, self.name, caption)), caption) if drawn else None


_figures: dict[str, RegisteredFigure] = {}


def figure(*, order: int, caption: Callable[[FigureData], str], needs: tuple[Need, ...] = ()) -> Callable[[D], D]:
    """Register a function that draws a figure, under the name of its file.

    The function is called where every field of `FigureData` that it needs has something in it, with the look of all
    figures, and returns None where it has nothing to draw.
    """

    def register(draw: D) -> D:
        name = draw.__module__.rpartition(".")[2]
        _figures[name] = RegisteredFigure(name, order, needs, caption, draw)
        return draw

    return register


def registered() -> list[RegisteredFigure]:
    """All figures, in the order of a page."""
    for module in pkgutil.iter_modules(plots.__path__):
        importlib.import_module(f"{plots.__name__}.{module.name}")
    return sorted(_figures.values(), key=lambda each: (each.order, each.name))


def draw_all(data: FigureData) -> tuple[Drawing, ...]:
    """Every figure that has something in it."""
    return tuple(drawing for each in registered() if (drawing := each.drawing(data)))
