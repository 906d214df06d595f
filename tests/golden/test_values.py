"""Hashes, JSON and tables are what they were: users' stored searches and whatever reads our JSON depend on them."""

from pathlib import Path

import pytest

from tests.golden import cases, values
from tests.golden.commands import RECORDED, assert_same, cells, read, run


def test_hashes() -> None:
    assert values.hashes() == read("hashes.json")


def test_no_option_is_lost() -> None:
    current = values.options()
    for command, recorded in read("options.json").items():
        assert set(recorded) <= set(current[command]), command


def test_every_space_is_recorded() -> None:
    listed = {line.split()[0] for line in run("ban_ray.search", "--list").out.splitlines()}
    assert listed == set(cases.LAPTOP) == {path.stem for path in (RECORDED / "plans").iterdir()}
    assert listed <= {case.arguments[1] for case in (*cases.SEARCHES.values(), *cases.SAMPLED.values())}


@pytest.mark.parametrize("name", cases.LAPTOP)
def test_plans(name: str) -> None:
    assert_same(values.plan(*cases.LAPTOP[name].arguments), read(f"plans/{name}.json"))


@pytest.mark.parametrize("name", cases.SEARCHES)
def test_finished_searches(name: str, tmp_path: Path) -> None:
    assert_same(values.finished(name, tmp_path), read(f"searches/{name}.json"))


@pytest.mark.parametrize("name", cases.SAMPLED)
def test_sampled_searches_that_an_older_version_has_finished(name: str, tmp_path: Path) -> None:
    assert_same(values.sampled(name, tmp_path), read(f"sampled/{name}.json"))


@pytest.mark.parametrize("name", cases.TABLES)
def test_tables_of_the_report(name: str, tmp_path: Path) -> None:
    current = values.tables(name, tmp_path / "runs", tmp_path / "tables")
    recorded = {file.stem: file.read_text() for file in sorted((RECORDED / "tables" / name).iterdir())}
    assert current.keys() == recorded.keys()
    for table in recorded:
        assert_same(cells(current[table]), cells(recorded[table]), table)
