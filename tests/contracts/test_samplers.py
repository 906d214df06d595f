"""The contract of every registered sampler, and of an example that one more file adds."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from optuna.trial import TrialState

from ban_ray.errors import UserError
from ban_ray.search import samplers
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.spaces import load
from ban_ray.search.config.strategy import resolve_strategy
from ban_ray.search.samplers import SAMPLERS
from ban_ray.search.study.configuration_source import ConfigurationSource, ListedConfigurations, SampledConfigurations
from ban_ray.specs import Choice, FloatRange, IntRange, digest
from ban_ray.specs.parameters import Configuration, Parameters, configuration_id, contains, grid

EXAMPLE = '''
"""A quasi-random sequence that fills the space evenly (Sobol 1967)."""

from typing import TYPE_CHECKING

from ban_ray.search.samplers import Sampler, register

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@register
class Sobol(Sampler):
    """Samples parameters evenly, and conditional ones at random."""

    name = "sobol"

    @classmethod
    def optuna_sampler(cls, seed: int, num_samples: int) -> "BaseSampler":
        from optuna.samplers import QMCSampler

        return QMCSampler(scramble=True, seed=seed, warn_independent_sampling=False)
'''

NAMES = (*SAMPLERS, "sobol")
NUM_SAMPLES = 24
COUNTS = {"gp": 12}
"""Proposals in a test, where each is slow: a Gaussian process takes over from random ones after eight."""

FLAT: Parameters = {"x": FloatRange(-1, 1, 0.25), "n": IntRange(0, 9)}
LOGARITHMIC: Parameters = {"rate": FloatRange(1e-4, 0.1, log=True), "batch": IntRange(1, 256, log=True)}
CONDITIONAL: Parameters = {
    "family": Choice(("a", "b")),
    "rate": FloatRange(0.5, 2, 0.5, when={"family": ("a",)}),
    "units": IntRange(1, 9, 2, when={"family": ("b",)}),
    "ratio": FloatRange(0.25, 2, 0.25),
}
EARLIER: Configuration = {"x": 0.25, "n": 3}


@pytest.fixture(scope="module", autouse=True)
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("samplers")
    (folder / "sobol.py").write_text(EXAMPLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samplers, "__path__", [*samplers.__path__, str(folder)])
        samplers.import_all()
        yield
    del SAMPLERS["sobol"], sys.modules["ban_ray.search.samplers.sobol"]


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def make_source(
    name: str,
    parameters: Parameters = FLAT,
    *,
    identity: object = 0,
    num_targets: int = 1,
    invalid_reason: Callable[[Configuration], str] = lambda _: "",
) -> ConfigurationSource:
    if SAMPLERS[name].is_exhaustive:
        return ListedConfigurations(list(grid(parameters)))
    return SampledConfigurations(
        parameters,
        name,
        identity_digest=digest(identity),
        num_samples=NUM_SAMPLES,
        num_targets=num_targets,
        invalid_reason=invalid_reason,
    )


def tell(source: ConfigurationSource, configuration: Configuration, number: int, num_targets: int = 1) -> None:
    """The result of a proposal: of five one is pruned and one fails."""
    if number % 5 == 3:
        source.tell(configuration, TrialState.PRUNED, rung_errors={0: 50.0, 1: 40.0})
    elif number % 5 == 4:
        source.tell(configuration, TrialState.FAIL)
    else:
        value = sum(value for value in configuration.values() if not isinstance(value, str))
        source.tell(configuration, TrialState.COMPLETE, [value, -value][:num_targets])


def propose(
    source: ConfigurationSource, numbers: range, num_targets: int = 1, results: bool = True
) -> list[Configuration]:
    proposals = []
    for number in numbers:
        configuration = source.ask(number)
        assert configuration is not None
        proposals.append(configuration)
        if results:
            tell(source, configuration, number, num_targets)
    return proposals


def count_of(name: str) -> int:
    return COUNTS.get(name, NUM_SAMPLES)


def ids(configurations: list[Configuration]) -> set[str]:
    return set(map(configuration_id, configurations))


@pytest.mark.parametrize("results", [True, False], ids=["told", "all at once"])
@pytest.mark.parametrize("num_targets", [1, 2])
@pytest.mark.parametrize("parameters", [FLAT, CONDITIONAL, LOGARITHMIC], ids=["flat", "conditional", "logarithmic"])
def test_proposals_are_distinct_and_of_the_space(
    name: str, parameters: Parameters, num_targets: int, results: bool
) -> None:
    if parameters is CONDITIONAL and not SAMPLERS[name].supports_conditional_parameters:
        pytest.skip("refused before a search starts")
    if parameters is LOGARITHMIC and SAMPLERS[name].is_exhaustive:
        pytest.skip("there is no list of them")
    count = count_of(name)
    source = make_source(name, parameters, num_targets=num_targets)
    proposals = propose(source, range(count), num_targets, results)
    assert all(contains(parameters, configuration) for configuration in proposals)
    assert len(ids(proposals)) == count


def test_proposals_are_a_function_of_the_search_its_results_and_the_number(name: str) -> None:
    count = count_of(name)
    proposals = propose(make_source(name), range(count))
    assert propose(make_source(name), range(count)) == proposals
    others = propose(make_source(name, identity=1), range(count))
    assert (others == proposals) is SAMPLERS[name].is_exhaustive


def test_a_search_resumes_from_its_results(name: str) -> None:
    """Without the proposals themselves, which a search that was killed does not remember."""
    half, count = count_of(name) // 2, count_of(name)
    before = propose(make_source(name), range(half))

    def resumed() -> list[Configuration]:
        source = make_source(name)
        for number, configuration in enumerate(before):
            tell(source, configuration, number)
        return propose(source, range(half, count))

    after = resumed()
    assert after == resumed()
    assert len(ids([*before, *after])) == count


def test_an_interrupted_configuration_is_not_proposed_again(name: str) -> None:
    if SAMPLERS[name].is_exhaustive:
        pytest.skip("a list is run in its order")
    source = make_source(name)
    source.add_running(EARLIER)
    count = count_of(name) // 2
    first = propose(source, range(count))
    source.tell(EARLIER, TrialState.COMPLETE, [1.0])
    second = propose(source, range(count, 2 * count))
    assert configuration_id(EARLIER) not in ids([*first, *second])


def test_what_may_not_be_run_is_counted_and_not_proposed(name: str) -> None:
    if SAMPLERS[name].is_exhaustive:
        pytest.skip("a list holds what may be run")
    source = make_source(name, invalid_reason=lambda configuration: "too many" if int(configuration["n"]) > 1 else "")
    proposals = propose(source, range(min(count_of(name), 12)))
    assert {configuration["n"] for configuration in proposals} <= {0, 1}
    assert source.rejection_counts["too many"] > 0
    assert make_source(name, invalid_reason=lambda _: "all").ask(0) is None


def test_a_small_space_is_exhausted_without_repetition(name: str) -> None:
    few: Parameters = {"n": IntRange(1, 3), "family": Choice(("a", "b"))}
    source = make_source(name, few)
    proposals = propose(source, range(6))
    assert ids(proposals) == ids(list(grid(few)))
    assert source.ask(6) is None


@pytest.mark.parametrize(
    ("space", "works", "reason"),
    [
        ("densenet_search", lambda sampler: True, ""),
        ("densenet_grid", lambda sampler: sampler.is_exhaustive, "needs parameters and space densenet_grid is a list"),
        (
            "match_resnet_widths",
            lambda sampler: sampler.supports_conditional_parameters,
            "does not support .* wide_units",
        ),
        (
            "recipe_search",
            lambda sampler: sampler.supports_conditional_parameters and not sampler.is_exhaustive,
            "does not support .* temperature|needs parameters with a list of values and temperature",
        ),
    ],
)
def test_a_space_is_sampled_or_refused_in_one_sentence(
    name: str, space: str, works: Callable[[type[samplers.Sampler]], bool], reason: str
) -> None:
    options, scale = SearchOptions(space=space, sampler=name), load(space).scales["laptop"]
    if works(SAMPLERS[name]):
        strategy = resolve_strategy(options, space, scale, "search")
        assert strategy.sampler == name
        assert (strategy.num_samples is None) is SAMPLERS[name].is_exhaustive
        return
    with pytest.raises(UserError, match=f"^--sampler '{name}' ({reason})") as raised:
        resolve_strategy(options, space, scale, "search")
    assert "\n" not in str(raised.value)
    assert "allowed" in str(raised.value)


def test_an_unknown_name_is_refused_with_the_allowed_ones() -> None:
    scale = load("densenet_search").scales["laptop"]
    with pytest.raises(UserError, match="'cma' is unknown; allowed are gp, grid, nsga2, random, tpe, sobol"):
        resolve_strategy(SearchOptions(space="densenet_search", sampler="cma"), "densenet_search", scale, "search")


def test_a_second_sampler_of_a_name_is_refused() -> None:
    class Other(samplers.Sampler):
        name = "tpe"

    with pytest.raises(ValueError, match="two samplers are called 'tpe'"):
        samplers.register(Other)


def test_samplers_are_listed_without_optuna() -> None:
    code = "import sys, ban_ray.search.config.strategy; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0
