"""Figures: without links, in the page's own text colour, with the data they are given."""

import numpy as np

from analysis.data.study import Study
from analysis.plots import FigureData, registered
from analysis.plots.cost import gain_against_cost
from analysis.plots.parameters import error_against_parameters
from analysis.plots.style import PALETTE
from analysis.statistics.comparisons import comparisons
from tests.helpers.fabricated_population import Fabricator


def svg(name: str, data: FigureData) -> str:
    (figure,) = (each for each in registered() if each.name == name)
    drawing = figure.drawing(data)
    assert drawing is not None
    return str(drawing.svg)


def test_text_is_not_read_as_mathematics(fabricator: Fabricator, study: Study) -> None:
    fabricator.chain(0, 1, network=r"$\broken{<b>", parameters=1)
    (group,) = study.groups()
    assert r"$\broken{&lt;b&gt;" in svg("generations", FigureData(group, [group], comparisons(study, [group])))


def test_the_note_stands_above_the_axes(fabricator: Fabricator, study: Study) -> None:
    fabricator.chain(0, 1)
    (group,) = study.groups()
    assert "noisy labels" in svg("lineage", FigureData(group, [group], note="noisy labels"))


def test_series_differ_in_colour_marker_and_line() -> None:
    assert len({look.colour for look in PALETTE}) == len({look.marker for look in PALETTE}) == len(PALETTE)
    assert len({(look.line, look.colour) for look in PALETTE}) == len(PALETTE)


def test_the_front_passes_what_nothing_beats(fabricator: Fabricator, study: Study) -> None:
    """Of three networks the largest is the worst."""
    for parameters, skill in ((10_000, 0.0), (20_000, 3.0), (40_000, -3.0)):
        fabricator.member(parameters, network=f"densenet-bc-{parameters}", parameters=parameters, skill=skill)
    groups = study.groups()
    front = error_against_parameters(FigureData(groups[0], groups)).axes[0].lines[0]
    assert front.get_label() == "Pareto front"
    assert np.asarray(front.get_xdata()).tolist() == [10_000, 20_000]
    errors = {group.last_member.parameters: group.metric.value_of(group.last_member) for group in groups}
    assert np.asarray(front.get_ydata()).tolist() == [errors[10_000], errors[20_000]]


def test_without_times_there_is_no_cost_figure(fabricator: Fabricator, study: Study) -> None:
    fabricator.chain(0, 1, provenance={"seconds": None, "device_seconds": None})
    (group,) = study.groups()
    assert gain_against_cost(FigureData(group, [group], comparisons(study, [group]))) is None
