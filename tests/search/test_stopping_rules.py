"""Each stopping rule on hand-made reports."""

import itertools

import pytest

from ban_ray.evaluation.pareto import non_dominated_ranks, pareto_front
from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.schedule.early_stopping import EarlyStopping
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.search.schedule.rungs import Rung, is_saturated, should_prune
from ban_ray.specs import Generation, Objective, Recipe, Task, born_again, sequence

TASK = Task(name="digits", fingerprint="0" * 64)
RECIPE = Recipe(epochs=10, batch_size=50)
NETWORKS = tuple(f"densenet-bc-10-{growth}" for growth in range(4, 20))


def planned(number: int, seed: int = 0, generations: int = 3, teacher: str = "") -> PlannedChain:
    networks = [teacher or NETWORKS[number], *[NETWORKS[number]] * generations]
    chain = born_again(TASK, networks, RECIPE, Objective(name="ban+l"), seed=seed, generations=generations)
    return PlannedChain({"number": number}, seed, chain, sequence(chain))


def at_end(one: PlannedChain, generation: int, error: float) -> dict[str, object]:
    return {"generation": generation, "key": one.chain.keys[generation], "published": True, "held_out_error": error}


def at_epoch(one: PlannedChain, generation: int, epoch: int, error: float) -> dict[str, object]:
    place = {"generation": generation, "key": one.chain.keys[generation], "epochs": 10, "rung": 9}
    return {**place, "epoch": epoch, "held_out_error": error}


def judge(
    histories: dict[str, list[dict[str, object]]] | None = None,
    sizes: dict[int, float] | None = None,
    patience: int = 2,
) -> EarlyStopping:
    def history(generation: Generation) -> list[dict[str, object]]:
        return (histories or {}).get(generation.key, [])

    def size(one: PlannedChain) -> tuple[float, ...]:
        return () if sizes is None else (sizes[int(one.configuration["number"])],)

    return EarlyStopping(patience=patience, min_gain=0, sizes=size, history=history)


# The rung's place in a generation


@pytest.mark.parametrize(
    ("epochs", "drops", "rung"),
    [(200, (0.3, 0.6, 0.8), 161), (10, (0.3, 0.6, 0.8), 9), (45, (0.3, 0.6, 0.8), 37), (10, (0.5,), 6), (10, (), None)],
)
def test_the_first_epoch_at_the_last_learning_rate(epochs: int, drops: tuple[float, ...], rung: int | None) -> None:
    recipe = Recipe(epochs=epochs, learning_rate_drops=drops)
    assert recipe.rung_epoch == rung
    if rung is not None:
        rates = [recipe.learning_rate_at(epoch) for epoch in range(epochs)]
        assert rates.index(rates[-1]) + 1 == rung


def test_a_rung_that_is_the_end_is_none() -> None:
    for epochs in (1, 2, 3, 4, 5):
        assert Recipe(epochs=epochs).rung_epoch is None
    assert Recipe(epochs=6).rung_epoch is None
    assert Recipe(epochs=10).rung_epoch == 9


def test_rungs_are_in_the_order_of_a_chain() -> None:
    rungs = [Rung(1, "drop"), Rung(0, "end"), Rung(1, "end"), Rung(0, "drop")]
    assert [rung.step for rung in sorted(rungs)] == [0, 1, 2, 3]


# Falling behind


def test_the_better_part_goes_on() -> None:
    others = [(10.0,), (11.0,), (12.0,)]
    assert not should_prune((9.0,), others, fraction=0.5)
    assert not should_prune((10.5,), others, fraction=0.5), "second of four"
    assert should_prune((11.5,), others, fraction=0.5), "third of four"
    assert should_prune((10.5,), others, fraction=0.25), "of four the best quarter is one"
    assert not should_prune((9.0,), others, fraction=0.25)


def test_nobody_is_judged_among_few_or_equals() -> None:
    assert not should_prune((99.0,), [(1.0,)], fraction=0.25)
    assert should_prune((99.0,), [(1.0,), (2.0,)], fraction=0.25)
    assert not should_prune((10.0,), [(10.0,)] * 20, fraction=0.25)
    assert not should_prune((10.0,), [(10.0,)] * 20 + [(9.0,)] * 5, fraction=0.25), "a fifth is better"


def test_several_targets_are_ranked_by_dominance() -> None:
    points = [(10.0, 5.0), (11.0, 4.0), (12.0, 3.0), (12.0, 5.0), (13.0, 6.0), (12.0, 5.0)]
    assert non_dominated_ranks(points) == [0, 0, 0, 1, 2, 1]
    assert pareto_front(points) == [0, 1, 2]
    assert not should_prune((50.0, 1.0), points, fraction=0.25), (
        "the smallest of all is on the front, whatever its error"
    )
    assert should_prune((14.0, 7.0), points, fraction=0.5)
    assert not should_prune((12.0, 5.0), points, fraction=0.5), "three of seven are on a better front"


def test_ranks_peel_fronts_as_the_definition_says() -> None:
    points = [(float(a * 7 % 11), float(b * 5 % 13)) for a, b in itertools.product(range(6), range(6))]

    def dominated(i: int, among: set[int]) -> bool:
        return any(
            all(x <= y for x, y in zip(points[j], points[i], strict=True)) and points[j] != points[i] for j in among
        )

    left, rank, expected = set(range(len(points))), 0, {}
    while left:
        front = {i for i in left if not dominated(i, left)}
        expected |= dict.fromkeys(front, rank)
        left, rank = left - front, rank + 1
    assert non_dominated_ranks(points) == [expected[i] for i in range(len(points))]


# Saturation


def test_densenet_80_80_keeps_its_third_generation() -> None:
    for baseline in (17.30, 17.16):
        known = [baseline, 16.26, 16.30, 15.50]
        assert not any(is_saturated(known[:count], patience=2, min_gain=0.0) for count in range(1, 5))
        assert is_saturated(known[:3], patience=1, min_gain=0.0), "which is why a patience below 2 is refused"


def test_saturation_counts_generations_without_a_gain() -> None:
    assert not is_saturated([10, 9, 9.5], 2, 0)
    assert is_saturated([10, 9, 9.5, 9], 2, 0), "equal is no gain"
    assert not is_saturated([10, 9, 9.5, 9, 8], 2, 0)
    assert is_saturated([10, 9.9, 9.8], 2, 0.5)
    assert not is_saturated([10, 9.7, 9.4], 2, 0.5), "small steps add up to a gain"
    assert not is_saturated([10], 2, 0)


def test_the_judge_ends_a_saturated_chain_at_its_generations_end() -> None:
    one, judging = planned(0), judge()
    for generation, error in enumerate((10.0, 11.0)):
        assert judging.on_report(one, at_end(one, generation, error)) is None
    assert judging.on_report(one, at_epoch(one, 2, 9, 10.5)) is None
    verdict = judging.on_report(one, at_end(one, 2, 10.5))
    assert verdict is not None
    assert verdict.status == "saturated"
    assert "last 2 generations up to 2" in verdict.message
    last = planned(1)
    for generation, error in enumerate((10.0, 11.0, 9.0, 12.0)):
        assert judging.on_report(last, at_end(last, generation, error)) is None, "nothing is left to save at the end"


# Rungs across chains


def reach(judging: EarlyStopping, number: int, error: float, generation: int = 0, seed: int = 0) -> ChainOutcome | None:
    one = planned(number, seed)
    return judging.on_report(one, at_end(one, generation, error))


def test_chains_are_compared_within_a_generation_only() -> None:
    judging = judge()
    for number in range(4):
        reach(judging, number, 5.0, generation=2)
    assert reach(judging, 4, 50.0, generation=0) is None, "others are further, nobody is here"
    assert reach(judging, 5, 50.0, generation=2) is not None


def test_a_late_report_does_not_count_at_earlier_rungs() -> None:
    """Errors fall along a chain; ASHA by a count of epochs would compare these."""
    judging = judge()
    assert all(reach(judging, number, 20.0 + number) is None for number in range(2))
    one = planned(5)
    assert judging.on_report(one, at_end(one, 1, 1.0)) is None
    assert reach(judging, 2, 19.0) is None


def test_only_the_rungs_epoch_is_compared() -> None:
    judging = judge()
    for number in range(4):
        one = planned(number)
        assert judging.on_report(one, at_epoch(one, 0, 9, 10.0 - number)) is None
    one = planned(4)
    for epoch in (1, 8, 10):
        assert judging.on_report(one, at_epoch(one, 0, epoch, 90.0)) is None
    verdict = judging.on_report(one, at_epoch(one, 0, 9, 90.0))
    assert verdict is not None
    assert verdict.message == "not the best of 5 configurations after the last learning-rate drop of generation 0"


def test_the_first_rung_keeps_fewer_than_the_others() -> None:
    rungs = [Rung(number, part) for number in range(3) for part in ("drop", "end")]
    assert [rung.fraction for rung in rungs] == [0.15, 0.5, 0.5, 0.5, 0.5, 0.5]
    judging = judge()
    for number in range(4):
        one = planned(number)
        judging.on_report(one, at_end(one, 0, 20.0 - number))
    worse, better = planned(4), planned(5)
    verdict = judging.on_report(worse, at_end(worse, 0, 19.5))
    assert verdict is not None
    assert verdict.message == "not among the best 3 of 5 configurations at the end of generation 0"
    assert judging.on_report(better, at_end(better, 0, 18.5)) is None


def test_members_replay_their_history() -> None:
    taken = planned(7)
    histories = {
        key: [
            {"epoch": 9, "rung": 9, "held_out_error": 30.0 - 5 * k},
            {"published": True, "held_out_error": 29.0 - 5 * k},
        ]
        for k, key in enumerate(taken.chain.keys[:2])
    }
    judging = judge(histories)
    for generation in range(2):
        record = {"generation": generation, "key": taken.chain.keys[generation], "taken": True}
        assert judging.on_report(taken, record) is None
    assert judging.rung_errors(taken) == {0: 30.0, 1: 29.0, 2: 25.0, 3: 24.0}
    for number in range(3):
        one = planned(number)
        verdict = judging.on_report(one, at_epoch(one, 0, 9, 31.0 + number))
        assert (verdict is not None) == (number > 0), "the third at this rung, and two are better"


def test_a_member_that_was_behind_stops_its_chain() -> None:
    taken = planned(7)
    judging = judge({taken.chain.keys[0]: [{"published": True, "held_out_error": 40.0}]})
    for number in range(3):
        reach(judging, number, 10.0)
    verdict = judging.on_report(taken, {"generation": 0, "key": taken.chain.keys[0], "taken": True})
    assert verdict is not None
    assert verdict.status == "stopped"


def replaying(count: int) -> tuple[EarlyStopping, list[PlannedChain]]:
    """Chains of three generations: the later ones are better at first and worse in the end."""
    chains = [planned(number, generations=3) for number in range(count)]
    histories = {
        one.chain.keys[generation]: [
            {"epoch": 9, "rung": 9, "held_out_error": 30.0 + (generation - 1) * number},
            {"published": True, "held_out_error": 29.0 + (generation - 1) * number},
        ]
        for number, one in enumerate(chains)
        for generation in range(3)
    }
    return judge(histories, patience=9), chains


def taken(one: PlannedChain, generation: int) -> dict[str, object]:
    return {"generation": generation, "key": one.chain.keys[generation], "taken": True}


def test_only_the_last_member_of_a_chain_is_judged() -> None:
    """What is trained costs no more: a chain that was slow at first is not ended for it."""
    judging, chains = replaying(6)
    for one in reversed(chains):
        for generation in range(2):
            assert judging.on_report(one, taken(one, generation)) is None
    verdicts = [judging.on_report(one, taken(one, 2)) for one in chains]
    assert [verdict is not None for verdict in verdicts] == [False, False, True, True, True, True]


def test_a_chain_that_goes_on_is_not_judged_where_it_was() -> None:
    judging, chains = replaying(8)
    for one in chains:
        judging.add_completed(one)
    assert [judging.on_report(one, taken(one, generation)) for one in chains for generation in range(3)] == [None] * 24
    # At its next rung it is, beside those that came there before.
    for number in range(3):
        assert judging.on_report(chains[number], at_epoch(chains[number], 3, 9, 20.0)) is None
    assert judging.on_report(chains[5], at_epoch(chains[5], 3, 9, 21.0)) is not None


def test_what_was_stopped_in_a_generation_stands_there_after_a_restart() -> None:
    first, one = judge(), planned(3)
    reach(first, 3, 13.0)
    for number in range(2):
        other = planned(number)
        assert first.on_report(other, at_epoch(other, 1, 9, 10.0)) is None
    assert first.on_report(one, at_epoch(one, 1, 9, 14.0)) is not None
    again = judge()
    again.restore([one], first.rung_errors(one))
    assert again.rung_errors(one) == {1: 13.0, 2: 14.0}
    verdicts = []
    for number in range(4, 7):
        other = planned(number)
        verdicts.append(again.on_report(other, at_epoch(other, 1, 9, 10.0 + number)))
    assert [verdict is not None for verdict in verdicts] == [False, True, True], "it is the third there"


def test_whole_chains_stand_at_the_rungs_without_being_judged() -> None:
    judging = judge({planned(n).chain.keys[0]: [{"published": True, "held_out_error": 5.0 + n}] for n in range(4)})
    for number in range(4):
        judging.add_completed(planned(number))
    assert reach(judging, 4, 50.0) is not None
    assert reach(judging, 0, 5.0, generation=1) is None


def test_a_shared_teacher_tells_nothing_apart() -> None:
    """Students of one teacher have the same generation 0: by size alone they would be dominated there."""
    judging = judge(sizes={number: 100.0 + number for number in range(16)})
    for number in range(10):
        one = planned(number, teacher="densenet-bc-10-40")
        assert judging.on_report(one, at_end(one, 0, 12.0)) is None
    verdicts = []
    for number in range(10):
        one = planned(number, teacher="densenet-bc-10-40")
        verdicts.append(judging.on_report(one, at_end(one, 1, 12.0)))
    assert any(verdicts), "with networks of their own they are compared"


def test_a_configuration_is_compared_by_the_mean_over_its_seeds() -> None:
    judging = judge()
    for number in range(4):
        reach(judging, number, 10.0 + number)
    assert reach(judging, 5, 8.0, seed=0) is None
    assert reach(judging, 5, 13.0, seed=1) is None, "the mean of 8 and 13 is second of five"
    assert reach(judging, 6, 8.0, seed=0) is None
    assert reach(judging, 6, 30.0, seed=1) is not None
    other = planned(6, seed=0)
    assert judging.on_report(other, at_epoch(other, 1, 1, 0.0)) is not None, "its other seeds end with it"
    assert judging.rung_errors(planned(6)) == {1: 19.0}


def test_reports_that_say_nothing_of_errors_are_passed_over() -> None:
    one, judging = planned(0), judge()
    for record in ({"waiting_for": "0" * 64}, {}, {**at_end(one, 0, 1.0), "held_out_error": None}):
        assert judging.on_report(one, record) is None
    assert judging.rung_errors(one) == {}
