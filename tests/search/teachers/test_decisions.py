"""Teachers that are chosen when a configuration begins, on simulated curves: recorded, and replayed."""

import json
from typing import Any

import pytest

from ban_ray.errors import UserError
from ban_ray.population import Population, open_storage
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.plan import plan as plans
from ban_ray.search.plan.printing import plan_as_json
from ban_ray.search.schedule.state import SearchState
from ban_ray.search.study import records
from ban_ray.specs.parameters import configuration_id
from tests.benchmarks.simulator import Simulator
from tests.helpers.simulated import open_state, study_trials, train, train_proposals

POLICIES = "parent,best,tournament:2,random"


def sampled(**options: Any) -> SearchSpec:
    given = {"space": "densenet_search", "search": {"teacher": POLICIES}, "samples": 10, "generations": 1}
    return resolve(SearchOptions(**{**given, "stopping": False, **options}))


def grid(teacher: str, **options: Any) -> SearchSpec:
    return resolve(SearchOptions(space="densenet_grid", teacher=teacher, generations=1, seeds=(0, 1), **options))


def start(population: Population, spec: SearchSpec, name: str = "one") -> SearchState:
    """The state of a search, whose teachers are then chosen from the population."""
    records.load_decisions(spec, population, name)
    return open_state(population, spec.with_chains_rebuilt(), name)


def train_grid(population: Population, state: SearchState, count: int | None = None) -> list[PlannedChain]:
    """Train a number of chains of the queue, one after another; all by default."""
    chains: list[PlannedChain] = []
    while (count is None or len(chains) < count) and (planned := state.queue.next_chain()) is not None:
        state.configurations.on_chain_start(planned)
        train(population, planned)
        state.queue.on_chain_end(planned)
        chains.append(planned)
    return chains


def taught(chains: list[PlannedChain]) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(configuration_id(c.configuration), c.seed, c.chain.keys) for c in chains]


def publish_better(population: Population, spec: SearchSpec) -> str:
    """A member of the same task that another search has trained, better than all others; returns its key."""
    other = resolve(SearchOptions(space="chain", network="densenet-bc-64-24", generations=0, seeds=(7,)))
    generation = other.chains[0].chain.generations[0]
    assert generation.task == spec.context.task
    Simulator(noise=0.0).train(population, generation, 5)
    best = min(population, key=lambda member: member.metrics.held_out_error or 0)
    assert best.key == generation.key
    return generation.key


@pytest.fixture
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Population:
    return Population(open_storage(str(tmp_path_factory.mktemp("quiet"))))


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_one_chain_at_a_time_the_search_is_a_function_of_its_seed(
    population: Population, quiet: Population, sampler: str
) -> None:
    chains = train_proposals(population, start(population, sampled(sampler=sampler)))
    assert taught(chains) == taught(train_proposals(quiet, start(quiet, sampled(sampler=sampler))))
    assert chains[0].configuration["teacher"] == "parent", "there is nobody else yet"
    policies = {str(planned.configuration["teacher"]) for planned in chains}
    assert len(policies) > 1
    error_of = {member.key: member.metrics.held_out_error or 0 for member in population}
    seen: set[str] = set()
    for planned in chains:
        first = planned.chain.generations[0]
        assert bool(first.teachers) == (planned.configuration["teacher"] != "parent")
        assert seen.issuperset(first.teachers), "teachers are members that were there"
        assert planned.position.row.endswith(f" teacher {planned.configuration['teacher']}")
        if planned.configuration["teacher"] == "best":
            assert error_of[first.teachers[0]] == min(error_of[key] for key in seen)
        seen.update(planned.chain.keys)


def test_a_killed_search_takes_the_same_decisions(population: Population, quiet: Population) -> None:
    undisturbed = train_proposals(quiet, start(quiet, sampled(sampler="random")))
    for killed_at in range(1, 10, 2):
        state = start(population, sampled(sampler="random"))
        finished = len(state.configurations.chains)
        train_proposals(population, state, killed_at - finished - 1)
        (running,) = state.configurations.next_incomplete_chains() or []
        state.configurations.on_chain_start(running)
        train(population, running, until=1)
    state = start(population, sampled(sampler="random"))
    train_proposals(population, state)
    assert taught(list(state.configurations.chains)) == taught(undisturbed)
    assert {member.key for member in population} == {member.key for member in quiet}, "no generation more"


def test_a_repeated_search_trains_nothing_whatever_the_population_holds(population: Population) -> None:
    spec = sampled()
    chains = train_proposals(population, start(population, spec))
    begun = sampled(samples=11)
    (running,) = start(population, begun).configurations.next_incomplete_chains() or []
    better = publish_better(population, spec)
    again = start(population, sampled())
    assert train_proposals(population, again) == []
    assert sorted(taught(list(again.configurations.chains))) == sorted(taught(chains))
    # What was begun has the teachers that it began with; what begins now may have the new member.
    (resumed,) = start(population, sampled(samples=11)).configurations.next_incomplete_chains() or []
    more = train_proposals(population, start(population, sampled(samples=40)))
    assert any(better in planned.chain.generations[0].teachers for planned in more)
    assert resumed.chain.keys == running.chain.keys or running.configuration["teacher"] != "best"


def test_a_decision_is_in_the_records_of_chain_trial_and_member(population: Population) -> None:
    chains = train_proposals(population, start(population, sampled()))
    chosen = [planned for planned in chains if planned.teachers is not None]
    assert chosen
    folder = "searches/one/chains"
    recorded = [json.loads(population.storage.read(f"{folder}/{file}")) for file in population.storage.list(folder)]
    by_id = {configuration_id(record["configuration"]): record.get("teachers") for record in recorded}
    attributes = {configuration_id(trial.params): trial.user_attrs for trial in study_trials(population)}
    for planned in chains:
        identifier = configuration_id(planned.configuration)
        if planned.teachers is None:
            assert by_id[identifier] is None and "teachers" not in attributes[identifier]
            continue
        assert by_id[identifier] == {"keys": list(planned.teachers.keys), "how": planned.teachers.description}
        assert attributes[identifier]["teachers"] == [planned.teachers.description]
        assert planned.chain.generations[0].teachers == planned.teachers.keys
    population.storage.write(f"{folder}/{population.storage.list(folder)[0]}", b"{")
    with pytest.raises(UserError, match=r"searches/one/chains/.* is damaged; choose another --name"):
        start(population, sampled())


def test_each_configuration_of_a_grid_has_the_best_of_those_before(population: Population) -> None:
    publish_better(population, spec := grid("best"))
    records.load_decisions(spec, population, "one")
    plan = plans.make_plan(spec.with_chains_rebuilt(), population)
    assert len(plan.incomplete_chains) == 8 and not plan.published_keys
    assert all(chain["keys"] == [] for chain in plan_as_json(plan, None, [])["chains"])  # type: ignore[attr-defined]
    chains = train_grid(population, start(population, grid("best")))
    assert len(chains) == 8
    seen = {member.key: member.metrics.held_out_error for member in population}
    for planned in reversed(chains):
        for key in planned.chain.keys:
            del seen[key]
        # Both seeds of a configuration begin when the first does.
        if planned.seed == 0:
            assert planned.chain.generations[0].teachers == (min(seen, key=lambda key: seen[key] or 0),)
    done = grid("best")
    records.load_decisions(done, population, "one")
    plan = plans.make_plan(done.with_chains_rebuilt(), population)
    assert not plan.incomplete_chains, "its decisions are known now"
    assert train_grid(population, start(population, grid("best"))) == []


def test_seeds_draw_on_their_own_and_an_interrupted_grid_goes_on(population: Population, quiet: Population) -> None:
    for storage in (population, quiet):
        train_grid(storage, start(storage, grid("parent"), "before"))
    chains = train_grid(population, start(population, grid("tournament:2")))
    train_grid(quiet, start(quiet, grid("tournament:2")), 3)
    rest = train_grid(quiet, start(quiet, grid("tournament:2")))
    assert [planned.chain.keys for planned in chains[3:]] == [planned.chain.keys for planned in rest]
    teachers = [planned.chain.generations[0].teachers for planned in chains]
    assert len(set(teachers)) > 1
    assert any(teachers[i] != teachers[i + 1] for i in range(0, 8, 2))


def test_a_search_that_has_chosen_once_keeps_its_choice(population: Population) -> None:
    """As older versions did for every search."""
    from ban_ray.cli.console import Console
    from ban_ray.search.search import _with_teachers
    from ban_ray.search.teachers.chosen_once import select_teachers

    train_grid(population, start(population, grid("parent"), "before"))
    spec = grid("best")
    chosen = select_teachers(population, "one", spec.teacher_decisions.policy, spec.context.task)
    taught_once = _with_teachers(spec, population, "one", Console())
    assert {planned.chain.generations[0].teachers for planned in taught_once.chains} == {chosen.keys}
    assert not taught_once.teacher_decisions.is_per_configuration


def test_a_policy_that_finds_nobody_is_refused_or_passed_over(population: Population) -> None:
    with pytest.raises(UserError, match=r"--teacher tournament:3: none of the 0 members .* train some first"):
        start(population, grid("tournament:3"))
    state = start(population, sampled(samples=1, sampler="random", search={"teacher": "best,independent:99,parent"}))
    train_proposals(population, state)
    listed = resolve(
        SearchOptions(
            space="densenet_grid",
            search={"teacher": "parent,independent:99"},
            sampler="grid",
            seeds=(0,),
            generations=0,
        )
    )
    state = start(population, listed, "listed")
    assert len(train_grid(population, state)) == 4
    (reason,) = state.configurations.skip_reasons
    assert reason == "4 proposals were passed over: --teacher independent:99 found nobody who could teach at that time"
    assert train_grid(population, start(population, listed, "listed")) == []
    with pytest.raises(UserError, match="best selects on held-out data, which --protocol paper trains on"):
        start(population, grid("parent", search={"teacher": "parent,best"}, sampler="grid", protocol="paper"), "paper")
    with pytest.raises(UserError, match="no member of"):
        start(population, sampled(search={"teacher": f"parent,{'f' * 12}"}), "named")


def test_an_earlier_epoch_of_the_parent_is_sampled_as_well(population: Population) -> None:
    spec = sampled(search={"teacher": "parent,epoch:5,epoch:20"}, samples=6, sampler="random")
    chains = train_proposals(population, start(population, spec))
    stops = {str(p.configuration["teacher"]): p.chain.generations[0].recipe.stop_epoch for p in chains}
    assert stops == {"parent": None, "epoch:5": 5, "epoch:20": 20}
    columns = {str(p.configuration["teacher"]): p.position.columns for p in chains}
    assert columns["parent"] == ("baseline", "BAN-1")
    assert columns["epoch:5"] == ("baseline to epoch 5", "BAN-1")
    assert all(planned.teachers is None for planned in chains)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"search": {"teacher": "parent,worst"}}, "--search teacher='worst' names no teacher; allowed are parent, KEY"),
        ({"search": {"teacher": "best"}}, "--search teacher=best: at least 2 different values .* --teacher for one"),
        ({"search": {"teacher": "1..3"}}, "at least 2 different values"),
        ({"teacher": "best"}, "--teacher 'best' has no effect: the search samples it from parent, best"),
        ({"search": {"teacher": "best:parameters=1_0,best:parameters=10"}}, "two of the policies are the same"),
        ({"space": "match_resnet", "search": {"teacher": "parent,best"}}, "space match_resnet has its own teachers"),
        ({"settings": {"teacher": "best"}, "search": {}}, "teacher has an option of its own: --teacher"),
        ({"search": {"teacher": "parent,epoch:45"}}, "epoch:45 must be an earlier epoch"),
    ],
)
def test_what_cannot_be_sampled_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        sampled(**options)
