"""Early stopping on hand-made events."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ban_ray.runtime.events import ChainEnded, Event, Waiting
from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.schedule.early_stopping import EarlyStopping, EvaluationEvent
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.search.schedule.rungs import Rung
from ban_ray.specs import Chain
from tests.helpers.chains import epoch_ended, number_of, plan_chain, published, reused

MemberErrors = Mapping[str, tuple[float | None, float]]
"""Of members, by key: the errors at the rung's epoch, if they are known, and at the end."""


def make_rule(
    members: MemberErrors | None = None, sizes: Mapping[int, float] | None = None, patience: int = 2
) -> EarlyStopping:
    def rung_events(planned: PlannedChain, number: int) -> Sequence[EvaluationEvent]:
        if members is None or (key := planned.chain.keys[number]) not in members:
            return []
        at_rung, at_end = members[key]
        drop = [] if at_rung is None else [epoch_ended(planned, number, 9, at_rung)]
        return [*drop, published(planned, number, at_end)]

    def size(planned: PlannedChain) -> tuple[float, ...]:
        return () if sizes is None else (sizes[number_of(planned)],)

    return EarlyStopping(patience=patience, min_gain=0, size_targets=size, rung_events=rung_events)


def test_a_saturated_chain_ends_at_its_generations_end() -> None:
    planned, rule = plan_chain(0), make_rule()
    for generation, error in enumerate((10.0, 11.0)):
        assert rule.on_event(planned, published(planned, generation, error)) is None
    assert rule.on_event(planned, epoch_ended(planned, 2, 9, 10.5)) is None
    outcome = rule.on_event(planned, published(planned, 2, 10.5))
    assert outcome is not None
    assert outcome.status == "saturated"
    assert "last 2 generations up to 2" in outcome.message
    last = plan_chain(1)
    for generation, error in enumerate((10.0, 11.0, 9.0, 12.0)):
        assert rule.on_event(last, published(last, generation, error)) is None, "nothing is left to save at the end"


def test_networks_that_teach_one_together_are_no_chain_that_saturates() -> None:
    rule = make_rule()
    alone = [plan_chain(0, seed).chain.generations[0] for seed in range(4)]
    taught = plan_chain(0).chain.generations[1].model_copy(update={"teachers": tuple(each.key for each in alone)})
    planned = replace(plan_chain(0), chain=Chain(seed=0, generations=(*alone, taught)))
    for generation, error in enumerate((10.0, 11.0, 12.0, 13.0)):
        assert rule.on_event(planned, published(planned, generation, error)) is None


# Rungs across chains


def reach(rule: EarlyStopping, number: int, error: float, generation: int = 0, seed: int = 0) -> ChainOutcome | None:
    planned = plan_chain(number, seed)
    return rule.on_event(planned, published(planned, generation, error))


def test_chains_are_compared_within_a_generation_only() -> None:
    rule = make_rule()
    for number in range(4):
        reach(rule, number, 5.0, generation=2)
    assert reach(rule, 4, 50.0, generation=0) is None, "others are further, nobody is here"
    assert reach(rule, 5, 50.0, generation=2) is not None


def test_a_late_report_does_not_count_at_earlier_rungs() -> None:
    """Errors fall along a chain; ASHA by a count of epochs would compare these."""
    rule = make_rule()
    assert all(reach(rule, number, 20.0 + number) is None for number in range(2))
    planned = plan_chain(5)
    assert rule.on_event(planned, published(planned, 1, 1.0)) is None
    assert reach(rule, 2, 19.0) is None


def test_only_the_rungs_epoch_is_compared() -> None:
    rule = make_rule()
    for number in range(4):
        planned = plan_chain(number)
        assert rule.on_event(planned, epoch_ended(planned, 0, 9, 10.0 - number)) is None
    planned = plan_chain(4)
    for epoch in (1, 8, 10):
        assert rule.on_event(planned, epoch_ended(planned, 0, epoch, 90.0)) is None
    outcome = rule.on_event(planned, epoch_ended(planned, 0, 9, 90.0))
    assert outcome is not None
    assert outcome.message == "not the best of 5 configurations after the last learning-rate drop of generation 0"


def test_the_first_rung_keeps_fewer_than_the_others() -> None:
    rungs = [Rung(number, part) for number in range(3) for part in ("drop", "end")]
    assert [rung.promoted_fraction for rung in rungs] == [0.15, 0.5, 0.5, 0.5, 0.5, 0.5]
    rule = make_rule()
    for number in range(4):
        planned = plan_chain(number)
        rule.on_event(planned, published(planned, 0, 20.0 - number))
    worse, better = plan_chain(4), plan_chain(5)
    outcome = rule.on_event(worse, published(worse, 0, 19.5))
    assert outcome is not None
    assert outcome.message == "not among the best 3 of 5 configurations at the end of generation 0"
    assert rule.on_event(better, published(better, 0, 18.5)) is None


def test_members_replay_their_history() -> None:
    member = plan_chain(7)
    rule = make_rule({key: (30.0 - 5 * k, 29.0 - 5 * k) for k, key in enumerate(member.chain.keys[:2])})
    for generation in range(2):
        assert rule.on_event(member, reused(member, generation)) is None
    assert rule.rung_errors(member.configuration) == {0: 30.0, 1: 29.0, 2: 25.0, 3: 24.0}
    for number in range(3):
        planned = plan_chain(number)
        outcome = rule.on_event(planned, epoch_ended(planned, 0, 9, 31.0 + number))
        assert (outcome is not None) == (number > 0), "the third at this rung, and two are better"


def test_a_member_that_was_behind_stops_its_chain() -> None:
    member = plan_chain(7)
    rule = make_rule({member.chain.keys[0]: (None, 40.0)})
    for number in range(3):
        reach(rule, number, 10.0)
    outcome = rule.on_event(member, reused(member, 0))
    assert outcome is not None
    assert outcome.status == "pruned"


def chains_with_members(count: int) -> tuple[EarlyStopping, list[PlannedChain]]:
    """Chains of which three generations are members: the later chains are better at first and worse in the end."""
    chains = [plan_chain(number, generations=3) for number in range(count)]
    members = {
        planned.chain.keys[generation]: (30.0 + (generation - 1) * number, 29.0 + (generation - 1) * number)
        for number, planned in enumerate(chains)
        for generation in range(3)
    }
    return make_rule(members, patience=9), chains


def test_only_the_last_member_of_a_chain_is_decided_on() -> None:
    """What is trained costs no more: a chain that was slow at first is not ended for it."""
    rule, chains = chains_with_members(6)
    for planned in reversed(chains):
        for generation in range(2):
            assert rule.on_event(planned, reused(planned, generation)) is None
    outcomes = [rule.on_event(planned, reused(planned, 2)) for planned in chains]
    assert [outcome is not None for outcome in outcomes] == [False, False, True, True, True, True]


def test_a_chain_that_resumes_is_not_decided_on_where_it_was() -> None:
    rule, chains = chains_with_members(8)
    for planned in chains:
        rule.record_published(planned)
    assert [rule.on_event(planned, reused(planned, generation)) for planned in chains for generation in range(3)] == [
        None
    ] * 24
    # At its next rung it is, beside those that came there before.
    for number in range(3):
        assert rule.on_event(chains[number], epoch_ended(chains[number], 3, 9, 20.0)) is None
    assert rule.on_event(chains[5], epoch_ended(chains[5], 3, 9, 21.0)) is not None


def test_a_chain_stopped_in_a_generation_is_compared_there_after_a_restart() -> None:
    first, planned = make_rule(), plan_chain(3)
    reach(first, 3, 13.0)
    for number in range(2):
        other = plan_chain(number)
        assert first.on_event(other, epoch_ended(other, 1, 9, 10.0)) is None
    assert first.on_event(planned, epoch_ended(planned, 1, 9, 14.0)) is not None
    restarted = make_rule()
    restarted.restore_errors([planned], first.rung_errors(planned.configuration))
    assert restarted.rung_errors(planned.configuration) == {1: 13.0, 2: 14.0}
    outcomes = []
    for number in range(4, 7):
        other = plan_chain(number)
        outcomes.append(restarted.on_event(other, epoch_ended(other, 1, 9, 10.0 + number)))
    assert [outcome is not None for outcome in outcomes] == [False, True, True], "it is the third there"


def test_complete_chains_are_compared_with_and_not_decided_on() -> None:
    rule = make_rule({plan_chain(number).chain.keys[0]: (None, 5.0 + number) for number in range(4)})
    for number in range(4):
        rule.record_published(plan_chain(number))
    assert reach(rule, 4, 50.0) is not None
    assert reach(rule, 0, 5.0, generation=1) is None


def test_chains_are_not_compared_at_a_generation_that_they_share() -> None:
    """Students of one teacher have the same generation 0: by size alone they would be dominated there."""
    rule = make_rule(sizes={number: 100.0 + number for number in range(16)})
    for number in range(10):
        planned = plan_chain(number, teacher="densenet-bc-10-40")
        assert rule.on_event(planned, published(planned, 0, 12.0)) is None
    outcomes = []
    for number in range(10):
        planned = plan_chain(number, teacher="densenet-bc-10-40")
        outcomes.append(rule.on_event(planned, published(planned, 1, 12.0)))
    assert any(outcomes), "with networks of their own they are compared"


def test_a_configuration_is_compared_by_the_mean_over_its_seeds() -> None:
    rule = make_rule()
    for number in range(4):
        reach(rule, number, 10.0 + number)
    assert reach(rule, 5, 8.0, seed=0) is None
    assert reach(rule, 5, 13.0, seed=1) is None, "the mean of 8 and 13 is second of five"
    assert reach(rule, 6, 8.0, seed=0) is None
    assert reach(rule, 6, 30.0, seed=1) is not None
    other = plan_chain(6, seed=0)
    assert rule.on_event(other, epoch_ended(other, 1, 1, 0.0)) is not None, "its other seeds end with it"
    assert rule.rung_errors(plan_chain(6).configuration) == {1: 19.0}


def test_equal_chains_count_once_at_a_rung() -> None:
    """Three better ones of five end a chain; one better chain that three configurations make does not."""

    def is_stopped(*better: PlannedChain) -> bool:
        rule = make_rule()
        for planned in better:
            rule.on_event(planned, published(planned, 1, 10.0))
        reach(rule, 3, 12.0, generation=1)
        return reach(rule, 4, 11.0, generation=1) is not None

    assert is_stopped(plan_chain(0), plan_chain(1), plan_chain(2))
    assert not is_stopped(
        plan_chain(0), *(replace(plan_chain(0), configuration={"number": number}) for number in (1, 2))
    )


def test_events_without_an_error_are_not_recorded() -> None:
    planned, rule = plan_chain(0), make_rule()
    events: list[Event] = [Waiting(key="0" * 64), ChainEnded(status="done"), published(planned, 0, None)]
    for event in events:
        assert rule.on_event(planned, event) is None
    assert rule.rung_errors(planned.configuration) == {}
