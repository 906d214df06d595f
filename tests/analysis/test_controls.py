"""Ens*k, its marks, and the label-only networks that gains and ensembles are measured against."""

import numpy as np
from numpy.typing import NDArray

from analysis.data.study import Study
from analysis.statistics import ensembles
from analysis.statistics.comparisons import comparisons
from analysis.statistics.control_pool import IndependentControls
from analysis.statistics.controls import control_groups, independent_networks, paired_chains
from analysis.statistics.greedy_selection import greedy
from analysis.tables.ensembles import ensemble_table
from analysis.tables.sequences import sequence_table
from ban_ray.population import Member
from ban_ray.specs import Objective
from tests.helpers.fabricated_population import DIGITS, Fabricator, distributions


def test_ens_k_leaves_the_baseline_out_unless_it_fills_in() -> None:
    named = {name: which for which, name in ensembles.subsets(2).items()}
    assert named["Ens*2"].generations == (1, 2) and not named["Ens*2"].filled
    assert named["Ens*3 (with the baseline)"].generations == (0, 1, 2)
    assert named["Ens*3 (with the baseline)"].filled
    # The same prefix of a longer chain has another name: BAN-3 was trained there.
    longer = {which.generations: name for which, name in ensembles.subsets(3).items()}
    assert longer[0, 1, 2] == "baseline + BAN-1 + BAN-2"
    assert longer[1, 2, 3] == "Ens*3"
    assert all(name.startswith("Ens*") for name in ensembles.subsets(9).values())


def test_filled_cells_are_marked(fabricator: Fabricator, study: Study) -> None:
    for seed in range(2):
        fabricator.chain(seed, 3)
        fabricator.chain(seed, 2, network="densenet-bc-22-8", parameters=30_000)
    groups = study.groups()
    found = [one for group in groups for one in ensembles.of_group(study, group)]
    table = sequence_table(groups, found)
    column = table.headings.index("Ens*3")
    cells = {row[0]: row[column] for row in table.rows}
    assert "†" not in cells["densenet-bc-16-8"]
    assert cells["densenet-bc-22-8"].endswith("†")
    assert any(note.startswith("†") for note in table.notes)
    short = [one for one in found if one.group.network == "densenet-bc-22-8"]
    rows = {row[0] for row in ensemble_table(short[0].group, short).rows}
    assert "Ens*3 (with the baseline) †" in rows and "Ens*2" in rows


def test_independent_networks_have_the_baselines_spec(fabricator: Fabricator, study: Study) -> None:
    chains = [fabricator.chain(seed, 1) for seed in range(2)]
    alone = fabricator.member(70, chain_seed=7)
    fabricator.member(71, chain_seed=8, epochs=9)
    fabricator.member(72, chain_seed=9, objective=Objective(name="label", label_weight=2))
    fabricator.member(73, chain_seed=9, task=DIGITS.model_copy(update={"split_seed": 1}))
    group = next(group for group in study.groups() if group.born_again)
    assert independent_networks(study, group) == [chains[0][0].key, chains[1][0].key, alone.key]
    controls = control_groups(group, study.groups())
    assert {other.last_member.generation.seed for other in controls} == {71, 72}


def test_a_student_of_another_network_is_measured_against_its_own_kind(fabricator: Fabricator, study: Study) -> None:
    teacher = fabricator.member(1)
    fabricator.member(2, network="densenet-bc-22-8", objective=Objective(name="ban"), teachers=[teacher], number=1)
    own = fabricator.member(3, network="densenet-bc-22-8")
    group = next(group for group in study.groups() if group.born_again)
    assert group.network == "densenet-bc-16-8 -> densenet-bc-22-8"
    assert independent_networks(study, group) == [own.key]
    (one,) = comparisons(study, [group])
    assert one.against == "teacher densenet-bc-16-8"


def test_no_control_network_is_in_two_sets(fabricator: Fabricator, study: Study) -> None:
    chains = [fabricator.chain(seed, 2) for seed in range(4)]
    for seed in range(3):
        fabricator.member(100 + seed, chain_seed=100 + seed)
    group = next(group for group in study.groups() if group.born_again)
    pool = IndependentControls(study, group)
    assert len(pool) == 7
    for size, sets in ((2, 3), (3, 2), (7, 1)):
        found = pool._disjoint(group.chains, size)
        used = [key for _, keys in found for key in keys]
        assert len(found) == sets and len(used) == len(set(used)) == sets * size
        for chain, keys in found:
            assert chain.keys[0] in keys
    assert {chain.keys[0] for chain in group.chains} == {members[0].key for members in chains}


def test_the_control_of_an_ensemble_is_recomputed(fabricator: Fabricator, study: Study) -> None:
    chains = [fabricator.chain(seed, 2) for seed in range(2)]
    extra = [fabricator.member(100 + seed, chain_seed=100 + seed) for seed in range(2)]
    group = next(group for group in study.groups() if group.born_again)
    one = next(one for one in ensembles.of_group(study, group) if one.name == "Ens*2")
    read = fabricator.population.predictions

    def wrong(*members: Member) -> NDArray[np.bool_]:
        stored = [read(member) for member in members]
        mean = np.mean([np.exp(distributions(part.test)) for part in stored], axis=0)
        return np.asarray(mean.argmax(1) != stored[0].test_labels)

    assert one.same_size is not None and one.same_cost is not None
    pool = [chains[0][0], chains[1][0], *extra]
    circle = [(pool[place], pool[(place + 1) % 4]) for place in range(4)]
    assert one.same_size.error == np.mean([100 * wrong(*pair).mean() for pair in circle])
    ens = [wrong(chain[1], chain[2]).astype(int) for chain in chains]
    sets = [wrong(chains[0][0], extra[0]), wrong(chains[1][0], extra[1])]
    difference = np.mean([100 * (mine.mean() - theirs.mean()) for mine, theirs in zip(ens, sets, strict=True)])
    assert np.isclose(one.same_size.interval.estimate, difference, rtol=1e-12)
    # Ens*2 took three trainings.
    assert one.same_cost.size == 3
    assert one.same_cost.interval.scope == "conditional on these networks"


def test_a_pool_that_is_too_small_gives_no_control(fabricator: Fabricator, study: Study) -> None:
    fabricator.chain(0, 2)
    (group,) = study.groups()
    assert all(one.same_size is None for one in ensembles.of_group(study, group))


def test_last_generations_are_compared_with_controls_of_equal_seeds(fabricator: Fabricator, study: Study) -> None:
    for seed in range(3):
        fabricator.chain(seed, 1)
        fabricator.member(200 + seed, chain_seed=seed, epochs=8)
    groups = study.groups()
    group = next(group for group in groups if group.born_again)
    (control,) = control_groups(group, groups)
    assert [(one.seed, other.seed) for one, other in paired_chains(group.chains, control.chains)] == [
        (0, 0),
        (1, 1),
        (2, 2),
    ]
    rest = paired_chains(group.chains[:1], control.chains[2:])
    assert [(one.seed, other.seed) for one, other in rest] == [(0, 2)]
    found = [one for one in comparisons(study, groups) if one.kind == "control"]
    assert [(one.name, one.against) for one in found] == [("BAN-1", "label-only, epochs 8 (baseline 4)")]
    assert found[0].control_cost == 2.0 and found[0].p_holm is not None


def test_greedy_selection_never_looks_at_test(fabricator: Fabricator, study: Study) -> None:
    for seed in range(3):
        fabricator.chain(seed, 1)
    paper = DIGITS.model_copy(update={"protocol": "paper"})
    strong = fabricator.member(7, skill=9.0, task=paper)
    found = greedy(study, DIGITS, size=3)
    assert strong.key not in set(found["key"])
    best = min(
        study.records.values(),
        key=lambda member: (member.metrics.held_out_error is None, member.metrics.held_out_error),
    )
    assert found["held_out_error"].iloc[0] == best.metrics.held_out_error
    assert list(found["held_out_error"]) == sorted(found["held_out_error"], reverse=True)
    stored = [fabricator.population.predictions(study.records[key]) for key in found["key"]]
    mean = np.mean([np.exp(distributions(predictions.test)) for predictions in stored], axis=0)
    wrong = mean.argmax(1) != stored[0].test_labels
    assert found["test_error"].iloc[-1] == 100 * wrong.mean()
    assert greedy(study, paper).empty


def test_a_label_only_chain_is_no_born_again_one(fabricator: Fabricator, study: Study) -> None:
    from analysis.data.chain_groups import from_search, primary
    from analysis.data.chains import recorded
    from ban_ray.population.search_records import ChainRecord

    chains = [[fabricator.member(10 * seed + k, chain_seed=seed).key for k in range(3)] for seed in range(2)]
    records = [ChainRecord(seed=seed, keys=tuple(keys)) for seed, keys in enumerate(chains)]
    groups = from_search(recorded(study.records, records))
    assert primary(groups) is None
    found = comparisons(study, groups)
    assert [one.name for one in found] == ["network 2", "network 3"]
    assert not any(one.primary for one in found)


def test_a_member_that_several_chains_share_counts_once(fabricator: Fabricator, study: Study) -> None:
    ban = Objective(name="ban")
    root = fabricator.member(1)
    first = [fabricator.member(10 + k, objective=ban, teachers=[root], number=1) for k in range(2)]
    second = [fabricator.member(20 + k, objective=ban, teachers=[first[k > 1]], number=2) for k in range(3)]
    found = {one.generation: one for one in comparisons(study, study.groups())}
    wrong = {
        member.key: (distributions(stored.test).argmax(1) != stored.test_labels).astype(float)
        for member in [root, *first, *second]
        for stored in [fabricator.population.predictions(member)]
    }
    assert (found[1].interval.chains, found[1].interval.roots) == (2, 1)
    one = np.mean([wrong[member.key] - wrong[root.key] for member in first])
    assert np.isclose(found[1].interval.estimate, 100 * one)
    # Two of the three BAN-2 share their BAN-1: they are one branch of two.
    assert (found[2].interval.chains, found[2].interval.roots) == (2, 1)
    branches = [(wrong[second[0].key] + wrong[second[1].key]) / 2, wrong[second[2].key]]
    assert np.isclose(found[2].interval.estimate, 100 * np.mean([branch - wrong[root.key] for branch in branches]))
    assert found[2].interval.scope == "conditional on this teacher"
    (row,) = sequence_table(study.groups()).rows
    assert row[2] == "ours, 3 chains, 1 root"
    assert row[4] == f"{root.metrics.test_error:.2f} (1)" and row[5].endswith(" (2)")
