"""Networks of the user's own whose code changes between two searches: no answer of the one is the other's."""

import importlib
import itertools
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ban_ray.errors import UserError
from ban_ray.population import Member, Population
from ban_ray.population.maintenance.verify import verify
from ban_ray.population.teaching import parse_policy
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import SearchSpec
from ban_ray.search.plan import plan as plans
from ban_ray.search.plan.near_misses import describe_near_misses
from ban_ray.search.results.render import summarise
from ban_ray.search.schedule.state import SearchState
from ban_ray.search.study.records import resolve_name
from ban_ray.search.teachers.chosen_once import select_teachers
from tests.helpers.local_jobs import run_job

BUILDER = """\
from torch import nn

def build(num_classes, in_channels, width=4):
    return nn.Sequential(nn.Flatten(), nn.Linear(64 * in_channels, width), nn.ReLU(), nn.Linear(width, num_classes))
"""
SPACE = """
from ban_ray.specs import Objective, Recipe, Scale, SearchSpace, born_again
from ban_ray.specs.parameters import IntRange

def chain(configuration, setting, seed):
    return born_again(setting.task, "MODULE:build", setting.recipe, setting.objective, seed=seed,
                      generations=setting.generations_for(), network_arguments=configuration, network_version="VERSION")

SPACE = SearchSpace(
    name="mine", title="Widths of one of mine", chain=chain,
    scales={"laptop": Scale(task="digits", recipe=Recipe(epochs=1, batch_size=100), objective=Objective(name="ban"),
                            generations=1, seeds=(0,), parameters={"width": IntRange(4, 5)}, samples=2)},
)
"""
WIDER = ("width)", "2 * width)"), ("(width", "(2 * width")
Edit = Callable[..., None]
_numbers = itertools.count()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"own_builder_{next(_numbers)}"
    (tmp_path / f"{name}.py").write_text(BUILDER)
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.fixture
def edit(module: str, tmp_path: Path) -> Edit:
    """Replace parts of the builder's source, as if another process ran then."""

    def replaced(*parts: tuple[str, str]) -> None:
        text = (tmp_path / f"{module}.py").read_text()
        for old, new in parts:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / f"{module}.py").write_text(text)
        sys.modules.pop(module, None)
        importlib.invalidate_caches()

    return replaced


def chain(module: str, **options: object) -> SearchSpec:
    fields = {"seeds": (0,), "epochs": 1, "generations": 1, "network": f"{module}:build", **options}
    return resolve(SearchOptions.model_validate({"space": "chain", **fields}))


def train(population: Population, spec: SearchSpec) -> list[Member]:
    generations = spec.chains[0].chain.generations
    assert run_job(population, *generations).status == "done"
    return [population[generation.key] for generation in generations]


def test_edited_code_is_another_network(module: str, edit: Edit, population: Population) -> None:
    members = train(population, chain(module))
    assert members[0].generation.network_version.startswith("source:")
    edit(("    return", "    # Two layers.\n    return"))
    assert len(plans.make_plan(chain(module), population).published_keys) == 2
    edit(("nn.ReLU", "nn.Tanh"))
    plan = plans.make_plan(chain(module), population)
    assert not plan.published_keys
    assert describe_near_misses(plan.missing_generations, population) == [
        "2 members differ only in the network's version"
    ]
    train(population, plan.spec)
    edit(("nn.Tanh", "nn.ReLU"))
    assert set(chain(module).chains[0].chain.keys) == {member.key for member in members}


def test_the_search_is_another_one_too(module: str, edit: Edit, population: Population) -> None:
    from ban_ray.search.study import records

    spec = chain(module)
    records.write_search(population.storage, spec, resolve_name(population.storage, spec, None))
    assert resolve_name(population.storage, chain(module), None) == "chain"
    edit(("nn.ReLU", "nn.Tanh"))
    assert resolve_name(population.storage, chain(module), None) != "chain"
    with pytest.raises(UserError, match="differs in network version"):
        resolve_name(population.storage, chain(module), "chain")


@pytest.mark.parametrize("version", ["2", ""])
def test_a_version_that_is_given_stands_for_the_code(
    module: str, edit: Edit, population: Population, version: str
) -> None:
    """An empty one is that of members from before the code counted."""
    spec = chain(module, network_version=version)
    plain = spec.chains[0].chain.generations[0].model_dump(exclude_defaults=True)
    assert plain.get("network_version", "") == version
    members = train(population, spec)
    edit(("nn.ReLU", "nn.Tanh"))
    assert plans.make_plan(chain(module, network_version=version), population).published_keys == {
        member.key for member in members
    }
    assert Member.from_bytes(members[0].to_bytes(), members[0].key) == members[0]
    assert verify(population, grace_s=0).findings == ()


@pytest.mark.parametrize("version", ["2", ""])
def test_a_member_that_does_not_fit_is_no_answer(module: str, edit: Edit, population: Population, version: str) -> None:
    """Nor is one with as many parameters in other shapes, or by other names."""
    train(population, chain(module, network_version=version))
    for parts in (WIDER, (("nn.Flatten(), ", "nn.Flatten(), nn.Identity(), "),)):
        edit(*parts)
        with pytest.raises(UserError, match=rf"network {module}:build is not the one .* --network-version") as caught:
            plans.make_plan(chain(module, network_version=version), population)
        assert "\n" not in str(caught.value)
        assert not plans.make_plan(chain(module, network_version="3"), population).published_keys


def test_the_version_of_other_code_cannot_be_asked_for(module: str, edit: Edit) -> None:
    version = chain(module).chains[0].chain.generations[0].network_version
    assert chain(module, network_version=version).chains == chain(module).chains
    edit(("nn.ReLU", "nn.Tanh"))
    with pytest.raises(UserError, match=f"was {version} where"):
        chain(module, network_version=version)


def test_a_row_shows_its_members_parameters(module: str, edit: Edit, population: Population) -> None:
    spec = chain(module, network_version="2")
    members = train(population, spec)
    edit(*WIDER)
    assert summarise(spec, population, []).rows[0].num_parameters == members[0].parameters


def test_code_that_is_edited_while_a_search_runs_is_not_trained(
    module: str, edit: Edit, population: Population
) -> None:
    spec = chain(module)
    baseline, student = spec.chains[0].chain.generations
    assert run_job(population, baseline).status == "done"
    edit(("nn.ReLU", "nn.Tanh"))
    result = run_job(population, student)
    assert (result.status, result.key) == ("failed", student.key)
    assert f"network {module}:build: its code, or a file that it reads, is source:" in result.message
    assert "\n" not in result.message
    assert spec.chains[0].chain.keys == spec.chains_of({})[0].chain.keys


def test_a_teacher_of_other_code_teaches_nobody(module: str, edit: Edit, population: Population) -> None:
    spec = chain(module, generations=0)
    (member,) = train(population, spec)
    (other,) = train(population, chain("", network="densenet-bc-10-4", generations=0))
    task = spec.context.task

    def taught(choice: str) -> str:
        return select_teachers(population, "a", parse_policy(choice), task, write=False).description

    best = min((member, other), key=lambda each: each.metrics.held_out_error or 0)
    assert f"({best.key[:12]})" in taught("best")
    edit(("nn.ReLU", "nn.Tanh"))
    with pytest.raises(UserError, match=r"was source:[0-9a-f]+ where the search began or the member was trained"):
        taught(member.key)
    assert f"({other.key[:12]})" in taught("best")
    assert ("1 passed over" in taught("best")) == (best == member)
    population.storage.delete(f"population/{other.key}")
    with pytest.raises(UserError, match="none of the 1 members can teach here: network"):
        taught("best")


def test_a_teacher_whose_weights_do_not_fit_is_told_in_a_sentence(
    module: str, edit: Edit, population: Population
) -> None:
    spec = chain(module, network_version="2")
    baseline, student = spec.chains[0].chain.generations
    assert run_job(population, baseline).status == "done"
    edit(*WIDER)
    result = run_job(population, student)
    assert result.message == (
        f"teacher {baseline.key[:12]} does not fit {module}:build: it has another shape for 1.weight and 2 more"
    )


def own_space(folder: Path, module: str, version: str = "") -> SearchSpec:
    (folder / "mine.py").write_text(SPACE.replace("MODULE", module).replace("VERSION", version))
    return resolve(SearchOptions(space=str(folder / "mine.py")))


def test_networks_that_a_space_names_itself_have_versions_too(module: str, edit: Edit, tmp_path: Path) -> None:
    before = own_space(tmp_path, module)
    first = before.chains_of({"width": 4})[0].chain
    assert first.generations[1].teachers == (first.keys[0],)
    edit(("nn.ReLU", "nn.Tanh"))
    assert before.chains_of({"width": 4})[0].chain == first, "a search that runs stays as it began"
    after = own_space(tmp_path, module)
    assert not set(after.chains_of({"width": 4})[0].chain.keys) & set(first.keys)
    assert after.space_code_versions != before.space_code_versions
    pinned = own_space(tmp_path, module, "1").chains_of({"width": 4})[0].chain
    assert [generation.network_version for generation in pinned.generations] == ["1", "1"]


def test_the_study_of_such_a_space_is_another_one(
    module: str, edit: Edit, tmp_path: Path, population: Population
) -> None:
    spec = own_space(tmp_path, module)
    SearchState.open(spec, population, tmp_path / "first", resolve_name(population.storage, spec, None))
    edit(("nn.ReLU", "nn.Tanh"))
    assert resolve_name(population.storage, own_space(tmp_path, module), None) != "mine"
    assert resolve_name(population.storage, spec, None) == "mine"


def test_members_that_do_not_fit_end_a_sampled_search_before_it_begins(
    module: str, edit: Edit, tmp_path: Path, population: Population
) -> None:
    """Whether the study has their values or not."""
    spec = own_space(tmp_path, module, "1")
    train(population, replace(spec, chains=spec.chains_of({"width": 5})))
    SearchState.open(spec, population, tmp_path / "first", "mine")
    edit(*WIDER)
    for folder in ("first", "second"):
        with pytest.raises(UserError, match="needs another --network-version"):
            SearchState.open(own_space(tmp_path, module, "1"), population, tmp_path / folder, "mine")


def test_the_running_program_is_no_module_of_workers() -> None:
    with pytest.raises(
        UserError, match="network __main__:build: __main__ is another module in every process; put build"
    ):
        chain("__main__")
