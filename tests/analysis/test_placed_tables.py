"""Searches that say where their chains stand: rows, columns, references, the average over networks."""

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pytest
from safetensors.numpy import save

from analysis.data.study import Study
from analysis.statistics.comparisons import comparisons
from analysis.tables.sequences import sequence_table
from ban_ray.population import Member, Storage
from ban_ray.population.imported import Imported, ImportedGeneration
from ban_ray.specs import Objective, PaperRow, derive_seed
from tests.helpers.fabricated_population import BAN, DIGITS, LABEL, Fabricator, distributions

STUDENT = "match-wide-resnet-1-1"


def record(
    storage: Storage,
    number: int,
    seed: int,
    members: Sequence[Member],
    columns: Sequence[str],
    **configuration: object,
) -> None:
    """One chain of the search ``match``; its row is its last network."""
    chain = {
        "configuration": configuration,
        "seed": seed,
        "keys": [member.key for member in members],
        "network": members[-1].generation.network,
        "label": str(members[-1].generation.objective),
        "row": members[-1].generation.network,
        "columns": columns,
    }
    storage.write(f"searches/match/chains/{number}-{seed}.json", json.dumps(chain).encode())


@pytest.fixture
def match(fabricator: Fabricator, storage: Storage) -> list[list[Member]]:
    """Per seed: teacher, taught student, student on labels, student on labels with the teacher's layers frozen."""
    found = []
    for seed in range(3):
        teacher = fabricator.member(derive_seed(seed, "t"), chain_seed=seed)
        student = fabricator.member(
            derive_seed(seed, "s"), network=STUDENT, parameters=50_000, objective=BAN, teachers=[teacher], number=2
        )
        labels = fabricator.member(derive_seed(seed, "l"), network=STUDENT, parameters=50_000)
        frozen = fabricator.member(
            derive_seed(seed, "f"), network=STUDENT, parameters=49_000, teachers=[teacher], shared_layers="frozen"
        )
        found.append([teacher, student, labels, frozen])
        record(storage, 0, seed, [labels], ["baseline"], training="labels")
        record(storage, 1, seed, [teacher, student], ["teacher", "BAN-1"], training="teacher")
        record(storage, 2, seed, [teacher, frozen], ["teacher", "labels, frozen"], training="frozen")
    configurations = [{"training": name} for name in ("labels", "teacher", "frozen")]
    about = {"format_version": 1, "space": "match_resnet", "identity": {"configurations": configurations}}
    storage.write("searches/match/search.json", json.dumps(about).encode())
    return found


def test_a_students_reference_is_its_own_network_on_labels(match: list[list[Member]], study: Study) -> None:
    found = comparisons(study, study.groups("match"), one_design=True)
    first = found[0]
    assert first.primary and first.name == "BAN-1" and first.against == "baseline (labels only)"
    difference = [student.metrics.test_error - labels.metrics.test_error for _, student, labels, _ in match]
    assert first.interval.estimate == pytest.approx(np.mean(difference))
    others = {(one.name, one.against) for one in found[1:]}
    assert ("BAN-1", "teacher densenet-bc-16-8") in others
    assert ("BAN-1", "labels, frozen (shared_layers frozen (baseline none))") in others
    assert all(one.group.born_again or one.kind == "generation" for one in found)


def test_rows_and_columns_are_the_searchs_own(match: list[list[Member]], study: Study) -> None:
    paper = [PaperRow(STUDENT, 20.9, 20.40, (19.12,)), PaperRow("wide-resnet-28-10", 36.0, 18.63)]
    table = sequence_table(study.groups("match"), (), paper)
    assert table.headings[4:] == ("Baseline", "Teacher", "BAN-1", "labels, frozen")
    ours, theirs, other = table.rows
    means = [np.mean([members[place].metrics.test_error for members in match]) for place in (2, 0, 1, 3)]
    assert [cell.partition(" ")[0] for cell in ours[4:]] == [f"{mean:.2f}" for mean in means]
    assert ours[:4] == (STUDENT, "ban", "ours, 3 seeds", "0.050 M")
    assert theirs[4:] == ("20.40", "/", "19.12", "/")
    assert other[0] == "wide-resnet-28-10" and other[4:] == ("18.63", "/", "/", "/")


def test_the_papers_figures_stand_under_the_students_in_their_order(
    fabricator: Fabricator, storage: Storage, study: Study
) -> None:
    for number, name in enumerate(("ban", "ban+l")):
        record(
            storage,
            number,
            0,
            fabricator.chain(0, 1, objective=Objective(name=name)),
            ["teacher", name],
            objective=name,
        )
    configurations = [{"objective": "ban"}, {"objective": "ban+l"}]
    about = {"format_version": 1, "space": "objectives", "identity": {"configurations": configurations}}
    storage.write("searches/match/search.json", json.dumps(about).encode())
    table = sequence_table(
        study.groups("match"), (), [PaperRow("densenet-bc-16-8", None, 18.25, (16.95, 17.68, 17.84))]
    )
    assert table.headings[4:] == ("Teacher", "ban", "ban+l", "BAN-3")
    assert table.rows[0][1] == "by column"
    assert table.rows[1][4:] == ("18.25", "16.95", "17.68", "17.84")


def test_one_design_is_averaged_over_its_networks(fabricator: Fabricator, storage: Storage, study: Study) -> None:
    networks = ("densenet-bc-16-8", "densenet-bc-22-8")
    chains = {(network, seed): fabricator.chain(seed, 2, network=network) for network in networks for seed in range(3)}
    for (network, seed), members in chains.items():
        record(storage, networks.index(network), seed, members, ["baseline", "BAN-1", "BAN-2"], network=network)
    storage.write("searches/match/search.json", b'{"format_version": 1, "space": "x"}')
    found = comparisons(study, study.groups("match"), one_design=True)
    assert [one.primary for one in found] == [True] + [False] * 4
    assert str(found[0]).startswith("BAN-2, averaged over 2 networks, against baseline: ")
    assert (found[0].interval.roots, found[0].kind) == (3, "pooled")
    wrong = {}
    for which, members in chains.items():
        stored = [fabricator.population.predictions(member) for member in members]
        wrong[which] = [(distributions(p.test).argmax(1) != p.test_labels).astype(float) for p in stored[::2]]
    mean = np.array(
        [[last - first for first, last in (wrong[network, seed] for seed in range(3))] for network in networks]
    )
    assert found[0].interval.estimate == pytest.approx(100 * mean.mean())
    seeds = mean.mean(0).mean(1)
    assert found[0].interval.standard_error >= 100 * np.sqrt(mean.mean(0).mean(0).var(ddof=1) / mean.shape[2])
    assert len(seeds) == 3
    # Without one design, the group with the most seeds is primary, alone.
    assert comparisons(study, study.groups("match"))[0].kind == "generation"


def test_imported_members_are_no_controls(fabricator: Fabricator, study: Study) -> None:
    weights = hashlib.sha256(save({"weight": np.zeros(3, dtype=np.float32)})).hexdigest()
    strange = ImportedGeneration(
        task=DIGITS, network="densenet-bc-16-8", imported=Imported(weights=weights, split_declared=True)
    )
    teacher = fabricator.publish(strange, strength=1.0)
    fabricator.member(2, objective=BAN, teachers=[teacher], number=1)
    own = fabricator.member(3)
    groups = study.groups()
    (row,) = study.members[study.members["imported"]].to_dict("records")
    assert row["key"] == teacher.key
    group = next(group for group in groups if group.born_again)
    found = comparisons(study, groups)
    assert {one.against for one in found} == {"baseline", "the same network on labels only"}
    assert study.label_only.keys() == {key for key, keys in study.label_only.items() if keys == [own.key]}
    assert group.objective != LABEL


def test_equal_chains_of_one_design_count_once(fabricator: Fabricator, storage: Storage, study: Study) -> None:
    """They are two configurations that differ in what has no effect."""
    number = 0
    for network, gain, rates in (("densenet-bc-16-8", 0.5, (0.1, 0.2)), ("densenet-bc-22-8", 2.0, (0.1,))):
        fabricator.gain = gain
        for seed in range(3):
            members = fabricator.chain(seed, 1, network=network)
            for rate in rates:
                record(storage, number, seed, members, ["baseline", "BAN-1"], network=network, lr=rate)
                number += 1
    storage.write("searches/match/search.json", b'{"format_version": 1, "space": "x"}')
    groups = study.groups("match")
    assert len(groups) == 3
    first, *others = comparisons(study, groups, one_design=True)
    assert str(first).startswith("BAN-1, averaged over 2 networks, against baseline: ")
    alone = {one.group.network: one.interval.estimate for one in others if one.kind == "generation"}
    assert first.interval.estimate == pytest.approx(np.mean(list(alone.values())))
    assert alone["densenet-bc-16-8"] != alone["densenet-bc-22-8"]
    alike = [group for group in groups if group.network == "densenet-bc-16-8"]
    assert comparisons(study, alike, one_design=True)[0].kind == "generation", "one chain is no average"
