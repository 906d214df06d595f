"""The verdict on fabricated searches, in words and as JSON."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.data.study import Study
from analysis.report.content import gather
from analysis.report.page import render
from analysis.verdict.power import Needed
from analysis.verdict.verdict import Verdict, verdict_of_search
from analysis.verdict.words import as_json, lines_of
from ban_ray.population import Population, open_storage
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.study.records import write_chain, write_search
from ban_ray.specs import Generation
from tests.helpers.fabricated_population import Fabricator

Strength = Callable[[Generation], float]


@pytest.fixture
def fabricator(tmp_path: Path) -> Fabricator:
    return Fabricator(Population(open_storage(str(tmp_path / "runs"))), images=2000, held_out=1000)


def publish(fabricator: Fabricator, strength: Strength, **options: object) -> Study:
    """A search whose members are all published, as `one`."""
    given = {"space": "does_it_help", "network": "densenet-bc-10-4", "seeds": (0, 1, 2), **options}
    spec = resolve(SearchOptions.model_validate(given))
    population = fabricator.population
    write_search(population.storage, spec, "one")
    for planned in spec.chains:
        write_chain(population.storage, planned, "one")
        for generation in planned.chain.generations:
            if generation.key not in population:
                teachers = [population[key] for key in generation.teachers]
                fabricator.publish(generation, strength=strength(generation), teachers=teachers)
    return Study(population.storage)


def verdict_of(study: Study) -> Verdict:
    verdict = verdict_of_search(study, "one")
    assert verdict is not None
    return verdict


def line(verdict: Verdict, start: str) -> str:
    (found,) = [text for text in lines_of(verdict) if text.startswith(start)]
    return found


def averaging_is_best(generation: Generation) -> float:
    return 4.0 if generation.recipe.averaging == "ema" else 0.0


def students_are_best(generation: Generation) -> float:
    return 4.0 if generation.objective.name == "mix" else 0.0


def test_averaging_is_named_and_no_gain_of_distillation_claimed(fabricator: Fabricator) -> None:
    study = publish(fabricator, averaging_is_best)
    verdict = verdict_of(study)
    lines = lines_of(verdict)
    assert len(lines) == 5
    assert lines[0].startswith("One network: train `label, EMA` (1x): test error ")
    assert "against the baseline (3 seeds). Nothing at hand beats it distinguishably." in lines[0]
    assert lines[1].startswith("Self-distillation beyond tuning and averaging: a loss, ")
    assert "against `label, EMA` (1x), 97.5 % interval, 3 seeds; held-out data chose both, " in lines[1]
    assert "independent networks`" in line(verdict, "An ensemble: ")
    # The page's first section has the same sentences.
    content = gather(study, "one")
    assert content.verdict == tuple(lines)
    # More groups than are measured: controls are left out before chains.
    (measures,) = [table for table in content.tables if table.name == "measures"]
    rows = {row[0] for row in measures.rows}
    for learns in ("ban+l", "ban", "mix", "hard"):
        assert any(row.startswith(f"densenet-bc-10-4, {learns}") for row in rows), learns
    page = render(content)
    assert page.index('id="verdict"') < page.index('id="answer"')


def test_a_gain_of_distillation_is_claimed_and_said_what_it_is_against(fabricator: Fabricator) -> None:
    verdict = verdict_of(publish(fabricator, students_are_best))
    assert lines_of(verdict)[0].startswith("One network: train `BAN-1 by mix` (2x): ")
    assert "distillation beyond tuning and averaging: -" in lines_of(verdict)[1]
    assert "by mix` (" in lines_of(verdict)[1]
    assert line(verdict, "Generations by mix: held-out data choose ")
    values = json.loads(json.dumps(as_json(verdict)))
    assert values["network"]["choice"] == "BAN-1 by mix"
    assert values["network"]["cost"] == 2
    found = values["network"]["distillation"]
    assert found["distinguishable"] is True
    assert found["high"] < 0
    assert found["undistilled_cost"] <= found["distilled_cost"]
    assert values["network"]["open"] is None
    assert values["lines"] == lines_of(verdict)
    assert values["missing"] == []


def test_costs_are_those_of_all_that_was_trained_for_a_choice(fabricator: Fabricator) -> None:
    from analysis.verdict.study_choices import choices_of

    study = publish(fabricator, averaging_is_best, seeds=(0, 1), generations=3)
    choices = choices_of(study, study.groups("one"))
    assert choices is not None
    costs = {choice.name: choice.cost for choice in choices.networks}
    expected = {
        "baseline": 1,
        "label, EMA": 1,
        "label, early stopping": 1,
        "self-ema": 1,
        "label:label_smoothing=0.2 (of 4 tries)": 4,
        "label, learning rate x3, weight decay x1 (of 4 tries)": 4,
        "label, all epochs": 4,
        "label, all epochs, early stopping": 4,
        "BAN-1 by ban+l": 2,
        "BAN-3 by hard": 4,
        "ban+l, of an ensemble": 5,
    }
    assert {name: costs[name] for name in expected} == expected
    # Other networks of the baseline's spec are drawn, not chosen.
    assert not any("independent" in name for name in costs)
    several = {choice.name: [choice.cost, choice.role] for choice in choices.ensembles}
    expected_of_several = {
        "4 independent networks": [4, "undistilled"],
        "baseline to BAN-1 by ban": [2, "distilled"],
        "BAN-1 to BAN-3 by ban": [4, "distilled"],
    }
    assert {name: several[name] for name in expected_of_several} == expected_of_several
    roles = {choice.name: choice.role for choice in choices.networks}
    assert [name for name, role in roles.items() if role == "bound"] == ["ban+l, of an ensemble"]


def test_what_is_open_names_seeds_and_a_command(fabricator: Fabricator) -> None:
    fabricator.noise = 3.0
    verdict = verdict_of(publish(fabricator, lambda _: 0.0, seeds=(3, 5)))
    assert verdict.network is not None
    assert verdict.network.added is not None
    assert not verdict.network.added.interval.distinguishable
    assert verdict.network.needed is not None

    def settled(found: Needed) -> str:
        assert verdict.network is not None
        return line(replace(verdict, network=replace(verdict.network, needed=found)), "Open: ")

    start = "Open: whether self-distillation adds to one network: "
    seeds = settled(Needed(4, None))
    assert seeds.startswith(f"{start}4 seeds find a difference as large as the one seen, ")
    assert seeds.endswith("/searches/one/search.toml --seeds 3,5,0,1.")
    assert settled(Needed(None, 12_345)).endswith("; about 12,345 test images would.")
    assert settled(Needed(None, None)).startswith(f"{start}more than 200 seeds would be needed")


def test_a_better_recipe_is_to_be_tried_by_generations_and_ensembles_too(fabricator: Fabricator) -> None:
    verdict = verdict_of(publish(fabricator, lambda generation: 4.0 if generation.recipe.learning_rate > 0.1 else 0.0))
    tuned = "label, learning rate x3, weight decay x1"
    assert lines_of(verdict)[0].startswith(f"One network: train `{tuned} (of 3 tries)` (3x): ")
    repeated = "/searches/one/search.toml --set recipe.learning_rate=0.3"
    assert line(verdict, "Open: what generations and ensembles gain with that recipe").endswith(f"{repeated}.")
    assert as_json(verdict)["command"].endswith(repeated)
    settings = repeated.rpartition("--set ")[2]
    spec = resolve(SearchOptions(space="does_it_help", network="densenet-bc-10-4", settings=[settings]))
    assert verdict.network is not None
    baselines = {planned.chain.keys for planned in spec.chains if planned.position.row == "label"}
    searched = resolve(SearchOptions(space="does_it_help", network="densenet-bc-10-4"))
    assert baselines == {planned.chain.keys for planned in searched.chains if planned.position.row == tuned}


def test_one_seed_is_told_to_say_nothing_about_others(fabricator: Fabricator) -> None:
    verdict = verdict_of(publish(fabricator, lambda _: 0.0, seeds=(0,)))
    assert "1 seed, conditional on these networks" in lines_of(verdict)[1]
    assert "one seed cannot tell; repeat it with more: " in line(verdict, "Open: ")
    assert line(verdict, "Open: ").endswith("--seeds 0,1,2.")


def test_missing_controls_are_named(fabricator: Fabricator) -> None:
    only = "objective=label,objective=ban+l,objective=label, EMA"
    verdict = verdict_of(publish(fabricator, averaging_is_best, only=only))
    missing = (
        "early stopping, averaged weights (SWA), label smoothing, learning rate and weight decay, all epochs with "
    )
    assert f"Not compared with: {missing}early stopping, independent networks." in line(verdict, "Open: ")


def test_where_nothing_is_held_out_nothing_is_chosen(fabricator: Fabricator) -> None:
    verdict = verdict_of(publish(fabricator, averaging_is_best, protocol="paper"))
    lines = lines_of(verdict)
    assert lines == ["Verdict: none, since nothing was held out to choose by; --protocol search holds data out."]
    values: dict[str, Any] = as_json(verdict)
    assert values["network"] is None
    assert values["ensemble"] is None


def test_a_search_without_controls_that_tune_or_average_has_no_verdict(fabricator: Fabricator) -> None:
    assert verdict_of_search(publish(fabricator, averaging_is_best, only="objective=ban+l"), "one") is None


def test_what_test_data_show_to_be_better_is_said_beside_the_choice(fabricator: Fabricator) -> None:
    """Thirty held-out images choose between ensembles that twenty thousand test images tell apart."""
    fabricator.held_out, fabricator.images = 30, 20_000
    verdict = verdict_of(publish(fabricator, lambda generation: 0.6 if generation.teachers else 0.0))
    assert verdict.ensemble is not None
    assert verdict.ensemble.better
    better, interval = verdict.ensemble.better[0]
    assert interval.high < 0
    text = line(verdict, "An ensemble: ")
    assert f"but on test `{better.name}` ({better.cost:g}x) is better, -" in text
    assert f", and {len(verdict.ensemble.better) - 1} more are better." in text


def stopping_is_best(generation: Generation) -> float:
    return 4.0 if generation.recipe.averaging == "best" else 0.0


def test_early_stopping_is_not_chosen_by_the_samples_that_stopped_it(fabricator: Fabricator) -> None:
    verdict = verdict_of(publish(fabricator, stopping_is_best))
    assert verdict.network is not None
    assert "early stopping" not in verdict.network.choice.name
    assert verdict.network.added is not None
    assert "early stopping" not in verdict.network.added.undistilled.name
    assert "early stopping" in verdict.network.better[0][0].name, "test data may name it"


def test_where_all_stop_early_they_are_compared(fabricator: Fabricator) -> None:
    """A baseline that is chosen by the same samples has the same advantage."""
    study = publish(
        fabricator, lambda generation: float(len(generation.teachers)), settings={"recipe.averaging": "best"}
    )
    verdict = verdict_of(study)
    assert verdict.network is not None
    assert verdict.network.added is not None
