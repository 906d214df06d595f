"""The configurations of a sampled search, where a space is small or much of it is known.

What holds for every sampler is tested in `tests/contracts/test_samplers.py`.
"""

import random
import statistics
from collections.abc import Callable

import pytest
from optuna.trial import TrialState

from ban_ray.search.study.configuration_source import SampledConfigurations
from ban_ray.specs import Choice, FloatRange, IntRange, digest
from ban_ray.specs.parameters import Configuration, Parameters, configuration_id, contains, grid

FLAT: Parameters = {"x": FloatRange(-1, 1, 0.05), "n": IntRange(0, 20)}
CONDITIONAL: Parameters = {
    "family": Choice(("a", "b")),
    "rate": FloatRange(0.01, 1, log=True, when={"family": ("a",)}),
    "units": IntRange(1, 9, 2, when={"family": ("b",)}),
    "ratio": FloatRange(0.25, 2, 0.25),
}


def make_source(
    sampler: str, parameters: Parameters, invalid_reason: Callable[[Configuration], str] = lambda _: ""
) -> SampledConfigurations:
    return SampledConfigurations(
        parameters,
        sampler,
        identity_digest=digest("one"),
        num_samples=40,
        num_targets=1,
        invalid_reason=invalid_reason,
    )


def error(configuration: Configuration) -> float:
    return 10 * (float(configuration["x"]) - 0.3) ** 2 + (float(configuration["n"]) - 14) ** 2 / 20


def propose(source: SampledConfigurations, count: int) -> list[Configuration]:
    """Proposals, of which some are pruned and some fail."""
    proposals = []
    for number in range(count):
        configuration = source.ask(number)
        assert configuration is not None
        proposals.append(configuration)
        if number % 5 == 4:
            source.tell(configuration, TrialState.PRUNED, rung_errors={0: 50.0, 1: 40.0})
        elif number % 7 == 6:
            source.tell(configuration, TrialState.FAIL)
        else:
            value = error(configuration) if "x" in configuration else float(configuration.get("ratio", 1))
            source.tell(configuration, TrialState.COMPLETE, [value])
    return proposals


def ids(configurations: list[Configuration]) -> set[str]:
    return set(map(configuration_id, configurations))


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsga2"])
def test_continuous_parameters_that_exist_in_a_part_of_the_space(sampler: str) -> None:
    proposals = propose(make_source(sampler, CONDITIONAL), 40)
    assert all(contains(CONDITIONAL, configuration) for configuration in proposals)
    assert len(ids(proposals)) == 40


def test_a_small_conditional_space_is_exhausted_without_repetition() -> None:
    few: Parameters = {"family": Choice(("a", "b")), "units": IntRange(1, 3, when={"family": ("b",)})}
    source = make_source("tpe", few)
    proposals = propose(source, 4)
    assert ids(proposals) == ids(list(grid(few)))
    assert source.ask(4) is None


def test_rejected_proposals_are_counted_by_their_reason() -> None:
    source = make_source(
        "tpe", FLAT, invalid_reason=lambda configuration: "too many" if int(configuration["n"]) > 1 else ""
    )
    proposals = propose(source, 30)
    assert {configuration["n"] for configuration in proposals} == {0, 1}
    assert source.rejection_counts["too many"] > 0


def test_results_from_elsewhere_are_not_proposed_and_guide() -> None:
    """With many known values the first proposals are better than chance."""
    known = random.Random(0).sample(list(grid(FLAT)), 200)
    guided = make_source("tpe", FLAT)
    for configuration in known:
        guided.tell(configuration, TrialState.COMPLETE, [error(configuration)])
    proposals = propose(guided, 20)
    assert not ids(proposals) & ids(known)
    blind = propose(make_source("random", FLAT), 20)
    assert statistics.median(map(error, proposals[:8])) < statistics.median(map(error, blind)) / 2


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_a_configuration_of_an_earlier_start_resumes(sampler: str) -> None:
    source = make_source(sampler, CONDITIONAL)
    interrupted: Configuration = {"family": "b", "units": 3, "ratio": 0.75}
    source.add_running(interrupted)
    assert interrupted not in propose(source, 10)
    source.tell(interrupted, TrialState.COMPLETE, [1.0])
    assert interrupted not in propose(source, 10)
