"""Figures: all seven drawn, deterministic, without links, in the page's own text colour."""

import re
import xml.etree.ElementTree as ET

import pytest
from fabricated_population import Fabricator

from analysis import plots
from analysis.data.study import Study
from analysis.plots.learning import curve_keys
from analysis.plots.parameters import pareto
from analysis.plots.style import PALETTE, TEXT_COLOUR
from analysis.statistics.comparisons import comparisons
from analysis.statistics.ensembles import of_group
from analysis.statistics.generation_metrics import by_class
from analysis.statistics.scored_predictions import ScoredPredictions


@pytest.fixture
def drawn(fabricator: Fabricator, study: Study) -> dict[str, str]:
    for seed in range(2):
        fabricator.chain(seed, 2)
        fabricator.chain(seed, 2, network="densenet-bc-22-8", parameters=31_000)
        fabricator.member(50 + seed, epochs=12, chain_seed=seed)
    groups = study.groups()
    group = next(group for group in groups if group.born_again)
    found, results = comparisons(study, groups), of_group(study, group)
    histories = study.histories([key for keys in curve_keys(group).values() for key in keys])
    figures = {
        "generations": plots.gains_by_generation(found, note="a note"),
        "cost": plots.gain_against_cost(group, found, results),
        "learning": plots.learning_curves(group, histories),
        "parameters": plots.error_against_parameters(groups),
        "ensembles": plots.ensemble_size(group, results),
        "lineage": plots.lineage_tree(group, groups),
        "classes": plots.class_gains(group, by_class(group, ScoredPredictions(study, group.metric))),
    }
    return {name: plots.to_svg(figure, name, "<what & why>") for name, figure in figures.items() if figure is not None}


def test_seven_figures_are_self_contained(drawn: dict[str, str]) -> None:
    assert len(drawn) == 7
    ids: set[str] = set()
    for name, svg in drawn.items():
        root = ET.fromstring(svg)
        assert root.get("role") == "img" and root.get("aria-label") == "<what & why>"
        assert "currentColor" in svg and TEXT_COLOUR not in svg
        assert "<metadata" not in svg and "<script" not in svg and "<image" not in svg
        links = re.findall(r'(?:href|src)="([^"]*)"', svg)
        assert all(link.startswith(f"#{name}-") for link in links)
        mine = re.findall(r'\bid="([^"]*)"', svg)
        assert {link[1:] for link in links} <= set(mine)
        assert not ids & set(mine)
        ids |= set(mine)
    assert "a note" in drawn["generations"]


def test_the_same_figure_is_the_same_bytes(fabricator: Fabricator, study: Study) -> None:
    fabricator.chain(0, 1)
    fabricator.chain(1, 1)
    groups = study.groups()
    once, again = (plots.to_svg(plots.error_against_parameters(groups), "x") for _ in range(2))
    assert once == again


def test_text_is_not_read_as_mathematics(fabricator: Fabricator, study: Study) -> None:
    fabricator.chain(0, 1, network=r"$\broken{<b>", parameters=1)
    found = comparisons(study, study.groups())
    assert r"$\broken{&lt;b&gt;" in plots.to_svg(plots.gains_by_generation(found), "x")


def test_series_differ_in_colour_marker_and_line() -> None:
    assert len({look.colour for look in PALETTE}) == len({look.marker for look in PALETTE}) == len(PALETTE)
    assert len({(look.line, look.colour) for look in PALETTE}) == len(PALETTE)


def test_the_pareto_front_is_what_nothing_beats() -> None:
    points = [(1.0, 9.0), (2.0, 5.0), (2.0, 7.0), (3.0, 5.0), (4.0, 6.0), (5.0, 1.0)]
    assert pareto(points) == [(1.0, 9.0), (2.0, 5.0), (5.0, 1.0)]


def test_without_times_there_is_no_cost_figure(fabricator: Fabricator, study: Study) -> None:
    fabricator.chain(0, 1, provenance={"seconds": None, "device_seconds": None})
    (group,) = study.groups()
    assert plots.gain_against_cost(group, comparisons(study, [group])) is None
