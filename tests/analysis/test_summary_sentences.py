"""The sentence under a search's table, on fabricated members."""

import pytest
from fabricated_population import Fabricator

from ban_ray.search.options import Options
from ban_ray.search.request import resolve
from ban_ray.search.summary import Summary, summarise


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
        cells = rows[name].test
        gain = sum(cells["BAN-2"].errors[seed] - cells["baseline"].errors[seed] for seed in (0, 1, 2)) / 3
        told = found.sentence.split(f"BAN-2 by {name} against baseline: ")[1].split(" ")[0]
        assert float(told) == pytest.approx(gain, abs=0.051)
    assert set(rows["label, all epochs"].test) == {"baseline"}


def test_rows_of_one_objective_are_averaged(fabricator: Fabricator) -> None:
    found = summary(fabricator, "densenet_grid")
    assert found.sentence.count("against baseline") == 1
    assert found.sentence.startswith("BAN-3, averaged over 4 networks, against baseline: ")
