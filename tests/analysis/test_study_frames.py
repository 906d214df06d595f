"""Frames, chains and groups of fabricated populations."""

import json

import numpy as np
import pytest

import analysis
from analysis.data import frames
from analysis.data.chain_groups import from_links, primary
from analysis.data.chains import linked
from analysis.data.study import Study
from ban_ray.errors import UserError
from ban_ray.population import Storage
from ban_ray.specs import Objective
from tests.helpers.fabricated_population import BAN, DIGITS, Fabricator


def test_members_are_one_row_each_with_documented_columns(fabricator: Fabricator, study: Study) -> None:
    chain = fabricator.chain(0, 2)
    frame = study.members
    assert list(frame.columns) == list(frames.MEMBER_COLUMNS)
    assert sorted(frame["key"]) == sorted(member.key for member in chain)
    row = frame.set_index("key").loc[chain[2].key]
    assert (row["generation"], row["objective"], row["teacher"]) == (2, "ban", chain[1].key)
    assert (row["chain_seed"], row["device_seconds"], row["label_noise"]) == (0, 2.0, 0.3)
    assert row["test_error"] == chain[2].metrics.test_error


def test_provenance_of_any_shape_is_read(fabricator: Fabricator, study: Study) -> None:
    fabricator.member(1, provenance={"seconds": "long", "device_seconds": True, "chain_seed": [], "finished_at": 3})
    row = study.members.iloc[0]
    assert np.isnan([row["seconds"], row["device_seconds"], row["chain_seed"]]).all()
    assert row["finished_at"] is None


def test_chains_accumulate_cost_and_differences(fabricator: Fabricator, study: Study) -> None:
    members = fabricator.chain(0, 2)
    frame = study.chains
    assert list(frame.columns) == list(frames.CHAIN_COLUMNS)
    assert list(frame["generation"]) == [0, 1, 2]
    assert list(frame["cumulative_device_seconds"]) == [2.0, 4.0, 6.0]
    errors = [member.metrics.test_error for member in members]
    assert list(frame["difference"]) == [error - errors[0] for error in errors]


def test_histories_and_predictions_are_long_frames(fabricator: Fabricator, study: Study) -> None:
    members = fabricator.chain(0, 1)
    histories = study.histories()
    assert list(histories.columns) == list(frames.HISTORY_COLUMNS)
    assert len(histories) == 2 * fabricator.epochs
    assert np.isnan(histories[histories["key"] == members[0].key]["teacher_error"]).all()
    predictions = study.predictions([members[1].key])
    assert list(predictions.columns) == list(frames.PREDICTION_COLUMNS)
    assert 100 * (1 - predictions["correct"].mean()) == pytest.approx(members[1].metrics.test_error)
    assert predictions["log_probability"].mean() == pytest.approx(members[1].metrics.test_log_likelihood)
    assert len(study.predictions([members[1].key], part="held_out")) == fabricator.held_out
    with pytest.raises(UserError, match="validation"):
        study.predictions([members[1].key], part="validation")
    with pytest.raises(UserError, match="no member"):
        study.predictions(["0" * 64])


def test_nothing_is_made_where_nothing_is(tmp_path: pytest.TempPathFactory) -> None:
    missing = tmp_path / "nowhere"  # type: ignore[operator]
    with pytest.raises(UserError, match="there is no such folder"):
        analysis.load(missing)
    assert not missing.exists()


def test_a_folder_that_is_no_storage_is_refused(tmp_path: pytest.TempPathFactory) -> None:
    with pytest.raises(UserError, match="neither a population nor a search"):
        analysis.load(str(tmp_path))


def test_damaged_members_are_told_and_left_out(fabricator: Fabricator, storage: Storage, study: Study) -> None:
    whole, torn = fabricator.chain(0, 1)
    storage.write(f"population/{torn.key}/member.json", b"{}")
    assert list(study.records) == [whole.key]
    assert torn.key in study.damaged


def test_chains_are_found_by_their_links(fabricator: Fabricator, study: Study) -> None:
    first = fabricator.chain(0, 2)
    sibling = fabricator.member(99, objective=Objective(name="ban+l"), teachers=[first[0]], number=1, chain_seed=0)
    found = linked(study.records)
    assert {chain.keys for chain in found} == {
        tuple(member.key for member in first),
        (first[0].key, sibling.key),
    }
    assert len({chain.root for chain in found}) == 1
    assert {chain.seed for chain in found} == {0}


def test_a_teacher_that_is_gone_leaves_a_gap(fabricator: Fabricator, storage: Storage, study: Study) -> None:
    first, second, third = fabricator.chain(0, 2)
    storage.delete(f"population/{first.key}")
    (chain,) = linked(study.records)
    assert chain.keys == (first.key, second.key, third.key)
    assert chain.member(0) is None and not chain.complete
    (group,) = from_links([chain])
    assert group.last == 0 and primary([group]) is None


def test_several_teachers_join_their_roots(fabricator: Fabricator, study: Study) -> None:
    one, other = fabricator.member(1), fabricator.member(2)
    fabricator.member(3, objective=BAN, teachers=[one, other], number=1)
    fabricator.member(4, objective=BAN, teachers=[other], number=1)
    found = linked(study.records)
    assert len(found) == 2
    assert len({chain.root for chain in found}) == 1


def test_groups_are_alike_apart_from_seeds(fabricator: Fabricator, study: Study) -> None:
    for seed in range(3):
        fabricator.chain(seed, 2)
    fabricator.chain(3, 1)
    for seed in range(2):
        fabricator.chain(seed, 1, objective=Objective(name="ban+l"))
    fabricator.member(50, skill=0.1)
    by_name = {group.name: group for group in study.groups()}
    assert set(by_name) == {
        "densenet-bc-16-8, ban",
        "densenet-bc-16-8, ban+l",
        "densenet-bc-16-8, label",
    }
    ban = by_name["densenet-bc-16-8, ban"]
    # The chain that was cut short belongs to them.
    assert [chain.seed for chain in ban.chains] == [0, 1, 2, 3]
    assert ban.last == 2 and len(ban.with_generations(0, 2)) == 3 and len(ban.with_generations(0, 1)) == 4
    assert primary(list(by_name.values())) is ban


def test_groups_of_one_name_are_told_apart_by_their_specs(fabricator: Fabricator, study: Study) -> None:
    fabricator.chain(0, 1, epochs=4)
    fabricator.chain(0, 1, epochs=8)
    assert [group.name for group in study.groups()] == [
        "densenet-bc-16-8, ban, epochs=4",
        "densenet-bc-16-8, ban, epochs=8",
    ]


def test_the_last_generation_is_one_that_half_of_the_chains_have(fabricator: Fabricator, study: Study) -> None:
    for seed in range(3):
        fabricator.chain(seed, 3 if seed == 0 else 1)
    (group,) = study.groups()
    assert group.last == 1


def test_tasks_are_not_mixed(fabricator: Fabricator, study: Study) -> None:
    fabricator.chain(0, 1)
    fabricator.chain(0, 1, task=DIGITS.model_copy(update={"label_noise": 0.0}))
    fabricator.chain(0, 1, task=DIGITS.model_copy(update={"name": "cifar10"}))
    names = [group.name for group in study.groups()]
    assert len(names) == len(set(names)) == 3
    assert sum(name.startswith("cifar10: ") for name in names) == 1


def write_search(storage: Storage, name: str, chains: list[dict[str, object]], **about: object) -> None:
    storage.write(f"searches/{name}/search.json", json.dumps({"format_version": 1, "space": "x", **about}).encode())
    for number, chain in enumerate(chains):
        storage.write(f"searches/{name}/chains/{number}.json", json.dumps(chain).encode())


def test_a_search_has_its_own_chains_and_the_longest_record_wins(
    fabricator: Fabricator, storage: Storage, study: Study
) -> None:
    mine = [member.key for member in fabricator.chain(0, 2)]
    fabricator.chain(1, 2)
    record = {"configuration": {"depth": 16}, "seed": 0, "label": "ban"}
    write_search(
        storage,
        "grid",
        [
            {**record, "keys": mine[:2]},
            {**record, "keys": [*mine, "f" * 64]},
            {**record, "keys": mine},
        ],
    )
    assert study.searches == ["grid"]
    (group,) = study.groups("grid")
    (chain,) = group.chains
    assert chain.keys == (*mine, "f" * 64)
    assert chain.member(3) is None and group.last == 2


def test_a_search_that_cannot_be_read_is_told(storage: Storage, study: Study) -> None:
    with pytest.raises(UserError, match=r"no search 'x'.*it has none"):
        study.search("x")
    write_search(storage, "grid", [{"seed": 0, "keys": ["../../etc"]}, {"seed": 0}, []])  # type: ignore[list-item]
    assert study.search("grid").unreadable == ("0.json", "1.json", "2.json")
    assert study.groups("grid") == []
    with pytest.raises(UserError, match="it has grid"):
        study.search("../grid")
    for text in (b"not JSON", b"{}", b'{"format_version": 2, "space": "x"}', b"[" * 100_000):
        storage.write("searches/grid/search.json", text)
        with pytest.raises(UserError, match=r"search\.json cannot be read"):
            study.search("grid")
