"""Gains class by class."""

import pandas as pd
from matplotlib.figure import Figure

from analysis.data.chain_groups import ChainGroup
from analysis.plots import style

MOST_CLASSES = 20


@style.styled
def class_gains(group: ChainGroup, classes: pd.DataFrame, *, note: str = "") -> Figure:
    """Last generation minus baseline for each class with 95 % intervals; of many classes the ten at either end."""
    ordered = classes.sort_values("difference", kind="stable")
    if len(ordered) > MOST_CLASSES:
        ordered = pd.concat([ordered.head(MOST_CLASSES // 2), ordered.tail(MOST_CLASSES // 2)])
    ordered = ordered.iloc[::-1]
    figure, axes = style.new(
        f"difference from baseline, {group.metric.points}", "class", note=note, height=0.19 * len(ordered) + 1.3
    )
    look = style.PALETTE[0]
    places = range(len(ordered))
    axes.axvline(0, color=style.TEXT_COLOUR, linewidth=0.8)
    axes.errorbar(
        ordered["difference"],
        places,
        xerr=[ordered["difference"] - ordered["low"], ordered["high"] - ordered["difference"]],
        color=look.colour,
        marker=look.marker,
        linestyle="",
        capsize=2,
    )
    axes.set_yticks(places, [str(label) for label in ordered["label"]])
    axes.grid(axis="y", visible=False)
    return figure
