"""The sentence under a search's table, on fabricated members."""

from pathlib import Path

import pytest

from ban_ray.search.config.choices import Options
from ban_ray.search.config.resolve import resolve
from ban_ray.search.results.render import Summary, summarise
from tests.analysis.fabricated_population import Fabricator


def summary(fabricator: Fabricator, space: str, **options: object) -> Summary:
    """Of a search whose generations are all published; students by BAN gain more than those by BAN+L."""
    request = resolve(Options(space, seeds=(0, 1, 2), **options))  # type: ignore[arg-type]
    published = {}
    for planned in request.chains:
        for number, generation in enumerate(planned.chain.generations):
            gain = 2.0 if generation.objective.name == "ban" else 1.0
            if generation.key not in published:
                teachers = [published[key] for key in generation.teachers]
                published[generation.key] = fabricator.publish(generation, strength=gain * number, teachers=teachers)
    return summarise(request, fabricator.population, [])


def test_a_sentence_for_each_objective(fabricator: Fabricator) -> None:
    found = summary(fabricator, "does_it_help", network="densenet-bc-10-4")
    assert [row.name for row in found.rows][:2] == ["ban+l", "ban"]
    first, second = (
        found.sentence.index("BAN-2 by ban+l against baseline:"),
        found.sentence.index("BAN-2 by ban against"),
    )
    assert first < second
    assert "averaged" not in found.sentence
    rows = {row.name: row for row in found.rows}
    for name in ("ban+l", "ban"):
        cells = rows[name].cells["test"]
        gain = sum(cells["BAN-2"].by_seed[seed] - cells["baseline"].by_seed[seed] for seed in (0, 1, 2)) / 3
        told = found.sentence.split(f"BAN-2 by {name} against baseline: ")[1].split(" ")[0]
        assert float(told) == pytest.approx(gain, abs=0.051)
    assert set(rows["label, all epochs"].cells["test"]) == {"baseline"}


def test_rows_of_one_objective_are_averaged(fabricator: Fabricator) -> None:
    found = summary(fabricator, "densenet_grid")
    assert found.sentence.count("against baseline") == 1
    assert found.sentence.startswith("BAN-3, averaged over 4 networks, against baseline: ")


def test_equal_chains_are_averaged_as_one(fabricator: Fabricator, tmp_path: Path) -> None:
    """Their rows are two, by a place of the space's own."""
    (tmp_path / "equal.py").write_text(
        "from dataclasses import replace\n"
        "from ban_ray.specs import Place\n"
        "from search_spaces.densenet_grid import SPACE as GRID\n"
        "def place(configuration, chain):\n"
        "    return replace(GRID.place(configuration, chain), row=str(dict(configuration)), network=chain.network)\n"
        "rows = tuple({'depth': 10, 'growth': growth, 'lr': lr} for growth in GROWTHS for lr in (0.1, 0.2))\n"
        "laptop = replace(GRID.scales['laptop'], configurations=rows)\n"
        "SPACE = replace(GRID, place=place, scales={'laptop': laptop})\n"
    )
    text = (tmp_path / "equal.py").read_text()
    for growths, told in (((4,), "BAN-3 against baseline: "), ((4, 6), "BAN-3, averaged over 2 networks, against")):
        (tmp_path / "equal.py").write_text(text.replace("GROWTHS", str(growths)))
        found = summary(fabricator, str(tmp_path / "equal.py"))
        assert len(found.rows) == 2 * len(growths)
        assert found.sentence.startswith(told)
