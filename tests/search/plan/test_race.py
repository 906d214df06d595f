"""A race of configurations on fabricated members, each step taken by the test."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ban_ray.cli.console import Console
from ban_ray.errors import UserError
from ban_ray.population import Population, open_storage
from ban_ray.runtime.events import ChainEnded, event_to_result
from ban_ray.runtime.messages import TrialSpec
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.plan.plan import make_plan
from ban_ray.search.plan.printing import print_plan
from ban_ray.search.plan.race import is_race
from ban_ray.search.schedule.controller import ChainCallback, SearchController
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.search.schedule.state import SearchState
from ban_ray.specs import Generation
from tests.helpers.fabricated_population import Fabricator
from tests.helpers.jobs import make_trial

DONE = ChainEnded(status="done", key="", message="")
ONLY = "objective=label,objective=label, EMA,objective=beta,objective=ban+l,objective=label, independent 1"


@pytest.fixture
def fabricator(tmp_path: Path) -> Fabricator:
    return Fabricator(Population(open_storage(str(tmp_path / "runs"))), held_out=400)


class Ends(ChainCallback):
    """The reasons why chains were stopped, by their titles."""

    def __init__(self) -> None:
        self.stopped: dict[str, str] = {}

    def on_chain_end(self, planned: PlannedChain, outcome: ChainOutcome) -> None:
        if outcome.status == "pruned":
            self.stopped[planned.title] = outcome.message


def spec_of(**options: object) -> SearchSpec:
    given = {"space": "does_it_help", "network": "densenet-bc-10-4", "only": ONLY, "seeds": (0, 1, 2, 3), **options}
    return resolve(SearchOptions.model_validate(given))


def strength(generation: Generation) -> float:
    """EMA is best; what learns by beta, every student and independent networks are far worse."""
    if generation.recipe.averaging == "ema":
        return 3.0
    return {"label": -1.0, "beta": -3.0, "ban+l": -3.0}[generation.objective.name]


def run(
    fabricator: Fabricator, spec: SearchSpec, strength: Callable[[Generation], float] = strength
) -> tuple[list[str], dict[str, str]]:
    """Run a search one chain at a time: titles in the order of their starts, and why others were not run."""
    folder = Path(fabricator.population.storage.url) / "searches" / "race"
    state = SearchState.open(spec, fabricator.population, folder, "race")
    started: list[str] = []
    planned_now: list[PlannedChain] = []

    def start(planned: PlannedChain, number: int) -> TrialSpec:
        started.append(planned.title)
        planned_now.append(planned)
        return make_trial(planned.chain, "runs", number=number)

    ends = Ends()
    controller = SearchController(state.queue, state.stopping_rule, start, [state.configurations, ends])
    while controller.next_trial_config(str(len(started))) is not None:
        for generation in planned_now[-1].chain.generations:
            teachers = [fabricator.population[key] for key in generation.teachers]
            if generation.key not in fabricator.population:
                fabricator.publish(generation, strength=strength(generation), teachers=teachers)
        controller.on_trial_complete(str(len(started) - 1), event_to_result(DONE), error=False)
    return started, ends.stopped


def test_what_is_decided_after_two_seeds_runs_no_further_and_stays_decided(fabricator: Fabricator) -> None:
    spec = spec_of()
    assert is_race(spec)
    started, dropped = run(fabricator, spec)
    rows = list(dict.fromkeys(planned.position.row for planned in spec.chains))
    first = [title.rpartition(" seed ")[0].removesuffix(" BAN-2") for title in started[: len(rows)]]
    assert [title.rpartition(" ")[2] for title in started] == sorted(title.rpartition(" ")[2] for title in started)
    assert first == rows, "in the order of the list, one seed after another"
    in_third = {title for title in started if title.endswith("seed 2")}
    assert in_third == {f"{row} seed 2" for row in ("label", "label, EMA", "label, independent 1")}
    assert dropped.keys() == {f"{row} seed {seed}" for row in ("beta", "ban+l") for seed in (2, 3)}
    # The baseline is worse than EMA too, and is what all are compared with.
    end = "on held-out data after 2 seeds, which costs no more"
    assert set(dropped.values()) <= {f"worse than label, EMA {end}", f"worse than label {end}"}
    assert run(fabricator, spec) == ([], {}), "a repeated search decides the same and trains nothing"


def test_what_no_cheaper_one_beats_runs_all_seeds(fabricator: Fabricator) -> None:
    """The other way round: what is far better but costs more drops nothing that costs less."""
    started, dropped = run(fabricator, spec_of(), lambda generation: 3.0 if generation.teachers else -3.0)
    assert len(started) == 20
    assert not dropped


def test_a_grid_that_is_no_race_and_one_without_held_out_data_run_everything() -> None:
    assert not is_race(resolve(SearchOptions(space="densenet_grid")))
    assert not is_race(spec_of(protocol="paper"))


@pytest.mark.parametrize(
    ("budget", "rows"), [("1x", 1), ("2x", 2), ("3.5x", 3), ("4.999x", 3), ("5x", 4), ("6x", 5), ("99x", 5)]
)
def test_a_budget_buys_the_list_in_its_order(budget: str, rows: int) -> None:
    """Costs: label 1, EMA 1, BAN+L two more than the baseline, an independent network 1, beta 1."""
    spec = spec_of(budget=budget)
    bought = list(dict.fromkeys(planned.position.row for planned in spec.chains))
    trainings = {g.key for planned in spec.chains if planned.seed == 0 for g in planned.chain.generations}
    assert len(trainings) <= float(budget[:-1])
    assert len(bought) == rows
    everything = list(dict.fromkeys(planned.position.row for planned in spec_of().chains))
    left_out = [row for row in everything if row not in bought]
    told = [f"--budget {budget} leaves out {'; '.join(left_out)}"] if left_out else []
    assert list(spec.skip_reasons) == told
    console = Console(width=300)
    with console.capture() as capture:
        print_plan(make_plan(spec, None), console)
    assert all(sentence in capture.get() for sentence in told)


@pytest.mark.parametrize("budget", ["0.5x", "0x", "12", "x", "-3x", "1e3x", "twelve", "12 x", ""])
def test_a_budget_below_one_training_is_refused_in_a_sentence(budget: str) -> None:
    with pytest.raises(ValueError, match="is no number of trainings from 1x on; 12x and the like are allowed"):
        spec_of(budget=budget)


def test_a_sampled_space_has_no_list_to_buy_from() -> None:
    with pytest.raises(UserError, match="--budget 3x has no effect: space densenet_search is sampled"):
        resolve(SearchOptions(space="densenet_search", budget="3x"))


def test_a_larger_budget_goes_on_with_the_same_search(fabricator: Fabricator) -> None:
    started, _ = run(fabricator, spec_of(budget="2x"))
    assert len(started) == 8
    more, _ = run(fabricator, spec_of(budget="6x"))
    assert not set(more) & set(started)
    record = json.loads(fabricator.population.storage.read("searches/race/search.json"))
    assert len(record["identity"]["configurations"]) == 5


def test_early_stopping_beats_nothing(fabricator: Fabricator) -> None:
    """Its epoch was chosen by the samples that would decide."""
    only = "objective=label,objective=label, early stopping,objective=beta"

    def stopped_is_best(generation: Generation) -> float:
        return 3.0 if generation.recipe.averaging == "best" else -3.0

    _, dropped = run(fabricator, spec_of(only=only), stopped_is_best)
    assert not dropped
