"""The result of a search as it is printed and as JSON, on fabricated members."""

import json
from pathlib import Path

import pytest

from analysis.data.study import Study
from analysis.report.content import gather
from analysis.statistics.comparisons import comparisons
from analysis.statistics.ensembles import of_group
from ban_ray.cli.console import Console
from ban_ray.errors import DamagedMember
from ban_ray.population import Member, Population, open_storage
from ban_ray.population.teaching import SelectedTeachers
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import SearchSpec
from ban_ray.search.results.render import Summary, print_summary, summarise, summary_as_json
from ban_ray.search.study.records import write_chain, write_search
from search_spaces.does_it_help import STUDENTS
from tests.helpers.fabricated_population import Fabricator


@pytest.fixture
def fabricator(tmp_path: Path) -> Fabricator:
    return Fabricator(Population(open_storage(str(tmp_path / "runs"))))


def spec_of(space: str, **options: object) -> SearchSpec:
    return resolve(SearchOptions(space=space, **{"seeds": (0, 1, 2), **options}))


def publish(fabricator: Fabricator, spec: SearchSpec, chains: slice = slice(None)) -> dict[str, Member]:
    """Members of a search, by key; students by BAN, and those with a higher learning rate, gain more."""
    published: dict[str, Member] = {}
    for planned in spec.chains[chains]:
        for number, generation in enumerate(planned.chain.generations):
            gain = generation.recipe.learning_rate / 0.1 * (2.0 if generation.objective.name == "ban" else 1.0)
            if generation.key not in published:
                teachers = [published[key] for key in generation.teachers]
                published[generation.key] = fabricator.publish(generation, strength=gain * number, teachers=teachers)
    return published


def summary(fabricator: Fabricator, space: str, **options: object) -> Summary:
    """Of a search whose generations are all published."""
    spec = spec_of(space, **options)
    publish(fabricator, spec)
    return summarise(spec, fabricator.population, [])


def printed(result: Summary) -> str:
    console = Console(width=160)
    with console.capture() as capture:
        print_summary(result, console)
    return capture.get()


def test_the_command_and_the_report_say_the_same(fabricator: Fabricator) -> None:
    """The same interval, averaged over the same networks, in the terminal and in the page's headline."""
    result = summary(fabricator, "densenet_grid")
    write_search(fabricator.population.storage, result.spec, "grid")
    for planned in result.spec.chains:
        write_chain(fabricator.population.storage, planned, "grid")
    headline = gather(Study(fabricator.population.storage), "grid").answer.headline
    assert result.conclusion.partition(", 3 seeds")[0] == headline.partition(", 3 seeds")[0]
    assert result.conclusion.split(". ")[0] + "." in printed(result).replace("\n", " ")


def test_chains_without_all_generations_are_not_in_the_table(fabricator: Fabricator) -> None:
    """Their row stands there nevertheless, with the reason."""
    spec = spec_of("densenet_grid", seeds=(0,))
    publish(fabricator, spec, slice(1))
    teacher = spec.chains[1].chain.generations[0]
    fabricator.publish(teacher, strength=0.0)
    result = summarise(spec, fabricator.population, [(spec.chains[1], "its loss is not finite")])
    rows = json.loads(json.dumps(summary_as_json(result)))["rows"]
    assert [row["network"] for row in rows] == [planned.position.row for planned in spec.chains]
    assert list(rows[0]["test_error"]) == ["baseline", "BAN-1", "BAN-2", "BAN-3", "Ens*2", "Ens*3"]
    assert list(rows[0]["test_error"]["BAN-3"]["errors"]) == ["0"]
    assert rows[1]["test_error"] == rows[1]["held_out_error"] == {}
    assert rows[1]["parameters"] > 0
    assert rows[1]["failures"] == [f"{spec.chains[1].title}: its loss is not finite"]
    assert f"FAILED {spec.chains[1].title}: its loss is not finite" in printed(result)
    assert result.conclusion.startswith("BAN-3 against baseline: ")


def test_a_row_that_lacks_a_seed_is_not_compared(fabricator: Fabricator) -> None:
    spec = spec_of("chain", network="densenet-bc-10-4")
    publish(fabricator, spec, slice(2))
    result = summarise(spec, fabricator.population, [])
    assert result.conclusion == "No row has all its seeds, so nothing is said about the gain."
    assert list(result.rows[0].cells["test"]["baseline"].by_seed) == [0, 1]


def test_rows_of_one_name_with_the_same_columns_are_two(fabricator: Fabricator, tmp_path: Path) -> None:
    """Configurations that a space does not tell apart do not hide each other's results."""
    (tmp_path / "same.py").write_text(
        "from dataclasses import replace\n"
        "from search_spaces.densenet_grid import SPACE as GRID\n"
        "def chain(configuration, setting, seed):\n"
        "    changed = setting.recipe.model_copy(update={'learning_rate': configuration['lr']})\n"
        "    return GRID.chain(configuration, replace(setting, recipe=changed), seed)\n"
        "rows = tuple({'depth': 10, 'growth': 4, 'lr': lr} for lr in (0.1, 0.2))\n"
        "SPACE = replace(GRID, chain=chain, scales={'laptop': replace(GRID.scales['laptop'], configurations=rows)})\n"
    )
    result = summary(fabricator, str(tmp_path / "same.py"))
    assert [row.name for row in result.rows] == ["densenet-bc-10-4"] * 2
    assert result.rows[0].cells["test"]["BAN-3"].by_seed != result.rows[1].cells["test"]["BAN-3"].by_seed
    assert result.conclusion.startswith("BAN-3, averaged over 2 configurations, against baseline: ")


def test_students_of_one_member_are_conditional_on_it(fabricator: Fabricator) -> None:
    spec = spec_of("chain", network="densenet-bc-10-4", generations=1, teacher="best")
    teacher = fabricator.publish(spec.chains[0].chain.generations[0], strength=0.0)
    spec = spec.with_teachers(SelectedTeachers((teacher.key,), "a member"))
    for planned in spec.chains:
        members = [teacher]
        for number, generation in enumerate(planned.chain.generations):
            members.append(fabricator.publish(generation, strength=1.0 * number, teachers=members[-1:]))
    result = summarise(spec, fabricator.population, [])
    assert result.conclusion.startswith("BAN-1 against student: ")
    assert "3 chains from 1 root, conditional on this teacher" in result.conclusion


def test_damaged_predictions_are_an_error(fabricator: Fabricator) -> None:
    spec = spec_of("chain", network="densenet-bc-10-4")
    member = list(publish(fabricator, spec).values())[-1]
    storage = fabricator.population.storage
    storage.write(f"population/{member.key}/{member.predictions.name}", b"torn")
    with pytest.raises(DamagedMember, match=member.key):
        summarise(spec, fabricator.population, [])


def test_a_sentence_for_each_objective(fabricator: Fabricator) -> None:
    result = summary(fabricator, "does_it_help", network="densenet-bc-10-4")
    assert [row.name for row in result.rows if row.name in STUDENTS] == list(STUDENTS)
    sentence = result.conclusion
    assert sentence.index("BAN-2 by ban+l against baseline:") < sentence.index("BAN-2 by ban against baseline:")
    assert "averaged" not in result.conclusion
    # Two born-again generations, although an ensemble's chain of one student is longer.
    assert result.spec.num_born_again_generations == 2
    assert "network 2" not in sentence
    assert "distilled by ban+l against baseline: " in sentence
    rows = {row.name: row for row in result.rows}
    for name in ("ban+l", "ban"):
        cells = rows[name].cells["test"]
        gain = sum(cells["BAN-2"].by_seed[seed] - cells["baseline"].by_seed[seed] for seed in (0, 1, 2)) / 3
        stated = sentence.split(f"BAN-2 by {name} against baseline: ")[1].split(" ")[0]
        assert float(stated) == pytest.approx(gain, abs=0.051)
    assert set(rows["label, all epochs"].cells["test"]) == {"baseline"}


def test_an_ensemble_of_teachers_is_no_row_of_generations(fabricator: Fabricator) -> None:
    """Only its student is compared, and no Ens*k is made of its teachers."""
    spec = spec_of("does_it_help", network="densenet-bc-10-4", only="objective=label,objective=ban+l, of an ensemble")
    publish(fabricator, spec)
    write_search(fabricator.population.storage, spec, "one")
    for planned in spec.chains:
        write_chain(fabricator.population.storage, planned, "one")
    study = Study(fabricator.population.storage)
    compared = comparisons(study, study.groups("one"))
    assert {comparison.name for comparison in compared if comparison.kind == "generation"} == {"distilled"}
    assert all(not of_group(study, group) for group in study.groups("one"))


def test_a_table_is_turned_only_if_that_makes_it_narrower(fabricator: Fabricator) -> None:
    """Of many rows with long names, the lines stay."""
    lines = printed(summary(fabricator, "does_it_help", network="densenet-bc-10-4")).splitlines()
    assert any(line.split()[:1] == ["beta"] for line in lines)


def test_rows_of_one_objective_are_averaged(fabricator: Fabricator) -> None:
    result = summary(fabricator, "densenet_grid")
    assert result.conclusion.count("against baseline") == 1
    assert result.conclusion.startswith("BAN-3, averaged over 4 networks, against baseline: ")


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
    for growths, start in (((4,), "BAN-3 against baseline: "), ((4, 6), "BAN-3, averaged over 2 networks, against")):
        (tmp_path / "equal.py").write_text(text.replace("GROWTHS", str(growths)))
        result = summary(fabricator, str(tmp_path / "equal.py"))
        assert len(result.rows) == 2 * len(growths)
        assert result.conclusion.startswith(start)
