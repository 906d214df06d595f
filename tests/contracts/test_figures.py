"""Every registered figure is valid, described, the same bytes each time, and absent where there is nothing to draw."""

import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import analysis
from analysis import plots
from analysis.data.study import Study
from analysis.plots import FigureData, draw_all, registered
from analysis.plots.learning import curve_keys
from analysis.plots.registry import RegisteredFigure
from analysis.plots.style import TEXT_COLOUR
from analysis.report.content import gather
from analysis.statistics.comparisons import comparisons
from analysis.statistics.ensembles import of_group
from analysis.statistics.generation_metrics import by_class
from analysis.statistics.scored_predictions import ScoredPredictions
from ban_ray.population import Population, open_storage
from tests.helpers.fabricated_population import Fabricator

FIGURES = registered()


def figure_data(folder: Path, networks: int) -> FigureData:
    """What there is to draw of chains of so many networks, two seeds each, and of a label-only control."""
    fabricator = Fabricator(Population(open_storage(str(folder))))
    for seed in range(2):
        for number in range(networks):
            fabricator.chain(seed, 2, network=f"densenet-bc-{16 + 6 * number}-8", parameters=20_000 + 9_000 * number)
        fabricator.member(50 + seed, epochs=12, chain_seed=seed)
    study = Study(fabricator.population.storage)
    groups = study.groups()
    group = next(group for group in groups if group.born_again)
    return FigureData(
        group=group,
        groups=groups,
        comparisons=comparisons(study, groups),
        ensembles=of_group(study, group),
        classes=by_class(group, ScoredPredictions(study, group.metric)),
        histories=study.histories([key for keys in curve_keys(group).values() for key in keys]),
        note="noisy labels",
    )


@pytest.fixture(scope="module", params=[1, 8], ids=["one network", "more networks than there are colours"])
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FigureData:
    return figure_data(tmp_path_factory.mktemp("figures"), request.param)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_contract(figure: RegisteredFigure, data: FigureData) -> None:
    drawing = figure.drawing(data)
    assert drawing is not None
    assert drawing == figure.drawing(data), "the same bytes"
    svg = str(drawing.svg)
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert drawing.caption.endswith(".") and root.get("aria-label") == drawing.caption
    assert "noisy labels" in svg
    assert "currentColor" in svg and TEXT_COLOUR not in svg
    assert "<metadata" not in svg and "<script" not in svg
    links, ids = re.findall(r'(?:href|src)="([^"]*)"', svg), set(re.findall(r'\bid="([^"]*)"', svg))
    assert {link.removeprefix("#") for link in links} <= ids, "no link leads out of the figure"
    assert all(name.startswith(f"{figure.name}-") for name in ids), "other figures of the page have other names"


@pytest.mark.parametrize(("figure", "need"), [(figure, need) for figure in FIGURES for need in figure.needs])
def test_without_the_data_that_it_needs_there_is_no_figure(
    figure: RegisteredFigure, need: str, data: FigureData
) -> None:
    empty = type(vars(data)[need])()
    assert figure.drawing(FigureData(**{**vars(data), need: empty})) is None


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_a_group_without_results_is_no_error(figure: RegisteredFigure, data: FigureData) -> None:
    drawing = figure.drawing(FigureData(data.group, [data.group]))
    assert (drawing is None) == bool(figure.needs)


def test_names_and_orders_are_distinct() -> None:
    assert len({figure.name for figure in FIGURES}) == len({figure.order for figure in FIGURES}) == len(FIGURES)


EXAMPLE = '''
"""Errors by seed."""

from analysis.plots import style
from analysis.plots.registry import FigureData, figure


@figure(order=65, caption=lambda data: f"{data.group.name}: errors by seed.")
def errors_by_seed(data):
    drawn, axes = style.new("seed", "error", note=data.note)
    for chain, look in zip(data.group.chains, style.PALETTE):
        style.series(axes, [(chain.seed, data.group.metric.value_of(chain.members[-1]))], look)
    return drawn
'''


def test_a_figure_is_added_by_one_file(data: FigureData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "example_errors_by_seed.py").write_text(EXAMPLE)
    monkeypatch.delitem(sys.modules, "analysis.plots.example_errors_by_seed", raising=False)
    monkeypatch.setattr(plots, "__path__", [*plots.__path__, str(tmp_path)])
    monkeypatch.setattr(plots.registry, "_figures", dict(plots.registry._figures))
    names = [drawing.name for drawing in draw_all(data)]
    assert names.index("parameters") < names.index("example_errors_by_seed") < names.index("lineage")
    (figure,) = (each for each in registered() if each.name == "example_errors_by_seed")
    test_contract(figure, data)


def test_the_page_shows_all_figures(tmp_path: Path) -> None:
    figure_data(tmp_path / "runs", 2)
    content = gather(analysis.load(tmp_path / "runs"))
    assert [drawing.name for drawing in content.figures] == [figure.name for figure in FIGURES]
