"""States of the study's trials, as a search leaves them."""

from collections.abc import Sequence
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

from ban_ray.search.study.distributions import of_list, of_parameters
from ban_ray.search.study.study import INTERRUPTED, SearchStudy
from ban_ray.specs import Choice, FloatRange, IntRange
from ban_ray.specs.parameters import Parameters

PARAMETERS: Parameters = {
    "family": Choice(("a", "b")),
    "units": IntRange(1, 8, 2, when={"family": ("a",)}),
    "ratio": FloatRange(0.25, 2, 0.05),
}
ONE, TWO = {"family": "a", "units": 3, "ratio": 0.3}, {"family": "b", "ratio": 2.0}


def study(folder: Path, name: str = "s", targets: Sequence[str] = ("error",)) -> SearchStudy:
    return SearchStudy(folder / "study.journal", name, of_parameters(PARAMETERS), targets)


def trials(folder: Path, name: str = "s") -> list[FrozenTrial]:
    """As `optuna-dashboard` reads them."""
    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    return optuna.load_study(study_name=name, storage=storage).trials


def test_complete_stopped_and_failed(tmp_path: Path) -> None:
    one = study(tmp_path)
    numbers = [one.start_trial(configuration) for configuration in (ONE, TWO, {**TWO, "ratio": 1.0})]
    assert numbers == [0, 1, 2]
    assert [trial.state.name for trial in trials(tmp_path)] == ["RUNNING"] * 3
    one.complete(0, [12.5], {"keys": ["k"]}, {0: 20.0, 1: 12.5})
    one.prune(1, {"reason": "behind"}, {0: 30.0})
    one.fail(2, "not finite")
    found = trials(tmp_path)
    assert [trial.state.name for trial in found] == ["COMPLETE", "PRUNED", "FAIL"]
    assert found[0].value == 12.5
    assert found[0].params == ONE
    assert found[0].intermediate_values == {0: 20.0, 1: 12.5}
    assert found[1].intermediate_values == {0: 30.0}
    assert found[1].user_attrs["reason"] == "behind"
    assert found[2].user_attrs["reason"] == "not finite"
    assert all(trial.datetime_complete for trial in found)


def test_stopped_with_several_targets_has_no_values(tmp_path: Path) -> None:
    one = study(tmp_path, targets=("error", "parameters"))
    one.complete(one.start_trial(ONE), [12.5, 1000.0], {}, {0: 20.0})
    one.prune(one.start_trial(TWO), {"reason": "behind"}, {0: 30.0, 1: 29.0})
    complete, pruned = trials(tmp_path)
    assert complete.values == [12.5, 1000.0]
    assert pruned.state.name == "PRUNED"
    assert pruned.values is None
    assert pruned.intermediate_values == {}
    assert pruned.user_attrs["held_out_error_by_step"] == {"0": 30.0, "1": 29.0}
    # Optuna's own sampler goes on with such a study.
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "study.journal")))
    loaded = optuna.load_study(study_name="s", storage=storage, sampler=optuna.samplers.TPESampler(n_startup_trials=1))
    loaded.ask().suggest_float("ratio", 0.25, 2, step=0.05)
    assert loaded.metric_names == ["error", "parameters"]


def test_a_killed_search_leaves_no_running_trial_and_begins_again_with_it(tmp_path: Path) -> None:
    killed = study(tmp_path)
    killed.complete(killed.start_trial(ONE), [1.0], {})
    killed.start_trial(TWO)
    again = study(tmp_path)
    assert [trial.state.name for trial in trials(tmp_path)] == ["COMPLETE", "FAIL"]
    assert trials(tmp_path)[1].user_attrs["reason"] == INTERRUPTED
    assert again.started(again.finished()) == [TWO]
    again.complete(again.start_trial(TWO), [2.0], {})
    last = study(tmp_path)
    assert last.started(last.finished()) == []
    assert [trial.state.name for trial in trials(tmp_path)] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert len(study(tmp_path).finished()) == 2


def test_no_study_of_the_file_keeps_a_running_trial(tmp_path: Path) -> None:
    study(tmp_path, "seeds 0").start_trial(ONE)
    study(tmp_path, "seeds 0,1")
    assert [trial.state.name for trial in trials(tmp_path, "seeds 0")] == ["FAIL"]


@pytest.mark.parametrize("lost", [1, 20])
def test_a_line_without_its_end_is_cut_off(tmp_path: Path, lost: int) -> None:
    """As a full disk leaves it: the study goes on with what was written before, now and later."""
    one = study(tmp_path)
    one.complete(one.start_trial(ONE), [1.0], {})
    file = tmp_path / "study.journal"
    kept = file.read_bytes()
    one.start_trial(TWO)
    file.write_bytes(file.read_bytes()[:-lost])
    again = study(tmp_path)
    assert file.read_bytes().startswith(kept)
    again.complete(again.start_trial(TWO), [2.0], {})
    assert [trial.value for trial in trials(tmp_path)] == [1.0, 2.0]


def test_other_studies_of_the_file_tell_what_was_tried(tmp_path: Path) -> None:
    one = study(tmp_path, "seeds 0")
    one.complete(one.start_trial(ONE), [1.0], {})
    one.prune(one.start_trial(TWO), {}, {0: 1.0})
    assert study(tmp_path, "seeds 0,1").of_other_studies() == [ONE], "what was stopped is not worth more seeds"


def test_a_list_of_configurations_is_categorical(tmp_path: Path) -> None:
    listed = [{"network": "a", "training": "labels"}, {"network": "b"}]
    one = SearchStudy(tmp_path / "study.journal", "s", of_list(listed))
    for configuration in listed:
        one.complete(one.start_trial(configuration), [1.0], {})
    assert [trial.params for trial in trials(tmp_path)] == listed


def test_a_value_outside_of_the_space_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ratio"):
        study(tmp_path).start_trial({"family": "b", "ratio": 3.0})
