"""Samplers: new configurations within the limits, the same ones for the same search, better than chance."""

import random
import statistics

import pytest

from ban_ray.search.study.sampler import ConfigurationSampler
from ban_ray.specs import Choice, FloatRange, IntRange, digest
from ban_ray.specs.parameters import Configuration, Parameters, contains, grid

FLAT: Parameters = {"x": FloatRange(-1, 1, 0.05), "n": IntRange(0, 20)}
CONDITIONAL: Parameters = {
    "family": Choice(("a", "b")),
    "rate": FloatRange(0.01, 1, log=True, when={"family": ("a",)}),
    "units": IntRange(1, 9, 2, when={"family": ("b",)}),
    "ratio": FloatRange(0.25, 2, 0.25),
}


def proposer(
    sampler: str, parameters: Parameters, samples: int = 40, targets: int = 1, **options: object
) -> ConfigurationSampler:
    return ConfigurationSampler(
        parameters,
        sampler,
        identity=digest(options.pop("identity", "one")),
        samples=samples,
        targets=targets,
        invalid_reason=options.pop("refuse", lambda _: ""),  # type: ignore[arg-type]
    )


def error(configuration: Configuration) -> float:
    return 10 * (float(configuration["x"]) - 0.3) ** 2 + (float(configuration["n"]) - 14) ** 2 / 20


def run(one: ConfigurationSampler, count: int, targets: int = 1) -> list[Configuration]:
    made = []
    for number in range(count):
        configuration = one.ask(number)
        assert configuration is not None
        made.append(configuration)
        if number % 5 == 4:
            one.tell_pruned(configuration, {0: 50.0, 1: 40.0})
        elif number % 7 == 6:
            one.tell_failed(configuration)
        else:
            value = error(configuration) if "x" in configuration else float(configuration.get("ratio", 1))
            one.tell_complete(configuration, [value, -value][:targets])
    return made


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsga2"])
@pytest.mark.parametrize("targets", [1, 2])
def test_configurations_of_a_conditional_space_are_new_and_whole(sampler: str, targets: int) -> None:
    made = run(proposer(sampler, CONDITIONAL, targets=targets), 40, targets)
    assert all(contains(CONDITIONAL, configuration) for configuration in made)
    assert len({digest(dict(configuration)) for configuration in made}) == 40


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsga2", "gp"])
def test_the_same_search_proposes_the_same_configurations(sampler: str) -> None:
    samples, count = (6, 5) if sampler == "gp" else (40, 30)
    one, again = (run(proposer(sampler, FLAT, samples), count) for _ in range(2))
    other = run(proposer(sampler, FLAT, samples, identity="other"), count)
    assert one == again
    assert one != other


def test_a_small_space_is_exhausted_without_repetition() -> None:
    few: Parameters = {"family": Choice(("a", "b")), "units": IntRange(1, 3, when={"family": ("b",)})}
    one = proposer("tpe", few)
    made = run(one, 4)
    assert {digest(dict(c)) for c in made} == {digest(dict(c)) for c in grid(few)}
    assert one.ask(4) is None


def test_what_is_refused_is_counted_and_never_proposed() -> None:
    def refuse(configuration: Configuration) -> str:
        return "too many" if int(configuration["n"]) > 1 else ""

    one = proposer("tpe", FLAT, refuse=refuse)
    made = run(one, 30)
    assert {configuration["n"] for configuration in made} == {0, 1}
    assert one.rejected["too many"] > 0
    assert proposer("tpe", FLAT, refuse=lambda _: "all").ask(0) is None


def test_what_is_known_is_not_proposed_and_guides() -> None:
    """With many known values the first proposals are better than chance."""
    chance = random.Random(0)
    every = list(grid(FLAT))
    known = chance.sample(every, 200)
    guided = proposer("tpe", FLAT)
    for configuration in known:
        guided.tell_complete(configuration, [error(configuration)])
    made = run(guided, 20)
    assert not {digest(dict(c)) for c in made} & {digest(dict(c)) for c in known}
    blind = run(proposer("random", FLAT), 20)
    assert statistics.median(map(error, made[:8])) < statistics.median(map(error, blind)) / 2


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_a_configuration_of_an_earlier_start_goes_on(sampler: str) -> None:
    one = proposer(sampler, CONDITIONAL)
    interrupted = {"family": "b", "units": 3, "ratio": 0.75}
    one.tell_started(interrupted)
    made = run(one, 10)
    assert interrupted not in made
    one.tell_complete(interrupted, [1.0])
    assert interrupted not in run(one, 10)
