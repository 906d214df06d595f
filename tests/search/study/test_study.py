"""States of the study's trials, as a search leaves them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from ban_ray.search.study.configuration_source import ListedConfigurations
from ban_ray.search.study.distributions import distributions_of_list, distributions_of_parameters
from ban_ray.search.study.study import INTERRUPTED_REASON, SearchStudy
from ban_ray.specs import Choice, FloatRange, IntRange
from ban_ray.specs.parameters import Configuration, Parameters

PARAMETERS: Parameters = {
    "family": Choice(("a", "b")),
    "units": IntRange(1, 8, 2, when={"family": ("a",)}),
    "ratio": FloatRange(0.25, 2, 0.05),
}
ONE: Configuration = {"family": "a", "units": 3, "ratio": 0.3}
TWO: Configuration = {"family": "b", "ratio": 2.0}

Told = tuple[Configuration, TrialState, Sequence[float] | None]


class RecordingSource(ListedConfigurations):
    """Writes down the results that it learns."""

    def __init__(self) -> None:
        super().__init__([])
        self.results: list[Told] = []

    def tell(
        self,
        configuration: Configuration,
        state: TrialState,
        values: Sequence[float] | None = None,
        rung_errors: Mapping[int, float] | None = None,
    ) -> None:
        self.results.append((configuration, state, values))


def open_study(
    folder: Path,
    name: str = "s",
    targets: Sequence[str] = ("error",),
    source: ListedConfigurations | None = None,
) -> SearchStudy:
    source = source or ListedConfigurations([])
    return SearchStudy(folder / "study.journal", name, distributions_of_parameters(PARAMETERS), source, targets)


def complete(study: SearchStudy, configuration: Configuration, *values: float) -> None:
    study.tell(study.open_trial(configuration), configuration, TrialState.COMPLETE, values=values)


def trials(folder: Path, name: str = "s") -> list[FrozenTrial]:
    """The trials, as `optuna-dashboard` reads them."""
    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    return optuna.load_study(study_name=name, storage=storage).trials


def states(folder: Path, name: str = "s") -> list[str]:
    return [trial.state.name for trial in trials(folder, name)]


def test_complete_stopped_and_failed(tmp_path: Path) -> None:
    source = RecordingSource()
    study = open_study(tmp_path, source=source)
    three = {**TWO, "ratio": 1.0}
    assert [study.open_trial(configuration) for configuration in (ONE, TWO, three)] == [0, 1, 2]
    assert states(tmp_path) == ["RUNNING"] * 3
    study.tell(
        0,
        ONE,
        TrialState.COMPLETE,
        values=[12.5],
        user_attrs={"keys": ["k"]},
        rung_errors={0: 20.0, 1: 12.5},
    )
    study.tell(1, TWO, TrialState.PRUNED, user_attrs={"reason": "behind"}, rung_errors={0: 30.0})
    study.tell(2, three, TrialState.FAIL, user_attrs={"reason": "not finite"})
    first, second, third = trials(tmp_path)
    assert states(tmp_path) == ["COMPLETE", "PRUNED", "FAIL"]
    assert first.value == 12.5
    assert first.params == ONE
    assert first.user_attrs == {"keys": ["k"]}
    assert first.intermediate_values == {0: 20.0, 1: 12.5}
    assert second.intermediate_values == {0: 30.0}
    assert second.user_attrs["reason"] == "behind"
    assert third.user_attrs["reason"] == "not finite"
    assert all(trial.datetime_complete for trial in (first, second, third))
    assert source.results == [
        (ONE, TrialState.COMPLETE, [12.5]),
        (TWO, TrialState.PRUNED, None),
        (three, TrialState.FAIL, None),
    ], "what proposes configurations learns each result"


def test_stopped_with_several_targets_has_no_values(tmp_path: Path) -> None:
    study = open_study(tmp_path, targets=("error", "parameters"))
    complete(study, ONE, 12.5, 1000.0)
    study.tell(
        study.open_trial(TWO),
        TWO,
        TrialState.PRUNED,
        user_attrs={"reason": "behind"},
        rung_errors={0: 30.0, 1: 29.0},
    )
    finished, pruned = trials(tmp_path)
    assert finished.values == [12.5, 1000.0]
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
    killed = open_study(tmp_path)
    complete(killed, ONE, 1.0)
    killed.open_trial(TWO)
    restarted = open_study(tmp_path)
    assert states(tmp_path) == ["COMPLETE", "FAIL"]
    assert trials(tmp_path)[1].user_attrs["reason"] == INTERRUPTED_REASON
    assert restarted.unfinished_configurations(restarted.complete_or_pruned_trials()) == [TWO]
    complete(restarted, TWO, 2.0)
    last = open_study(tmp_path)
    assert last.unfinished_configurations(last.complete_or_pruned_trials()) == []
    assert states(tmp_path) == ["COMPLETE", "FAIL", "COMPLETE"]
    assert len(open_study(tmp_path).complete_or_pruned_trials()) == 2


def test_no_study_of_the_file_keeps_a_running_trial(tmp_path: Path) -> None:
    open_study(tmp_path, "seeds 0").open_trial(ONE)
    open_study(tmp_path, "seeds 0,1")
    assert states(tmp_path, "seeds 0") == ["FAIL"]


@pytest.mark.parametrize("num_lost", [1, 20])
def test_a_line_without_its_end_is_cut_off(tmp_path: Path, num_lost: int) -> None:
    """As a full disk leaves it: the study goes on with what was written before, now and later."""
    study = open_study(tmp_path)
    complete(study, ONE, 1.0)
    file = tmp_path / "study.journal"
    before = file.read_bytes()
    study.open_trial(TWO)
    file.write_bytes(file.read_bytes()[:-num_lost])
    restarted = open_study(tmp_path)
    assert file.read_bytes().startswith(before)
    complete(restarted, TWO, 2.0)
    assert [trial.value for trial in trials(tmp_path)] == [1.0, 2.0]


def test_other_studies_of_the_file_tell_what_was_tried(tmp_path: Path) -> None:
    study = open_study(tmp_path, "seeds 0")
    complete(study, ONE, 1.0)
    study.tell(study.open_trial(TWO), TWO, TrialState.PRUNED, rung_errors={0: 1.0})
    wider = open_study(tmp_path, "seeds 0,1")
    assert wider.completed_in_other_studies() == [ONE], "what was stopped is not worth more seeds"


def test_a_list_of_configurations_is_categorical(tmp_path: Path) -> None:
    listed: list[Configuration] = [{"network": "a", "training": "labels"}, {"network": "b"}]
    study = SearchStudy(tmp_path / "study.journal", "s", distributions_of_list(listed), ListedConfigurations(listed))
    for configuration in listed:
        complete(study, configuration, 1.0)
    assert [trial.params for trial in trials(tmp_path)] == listed


def test_a_value_outside_of_the_space_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ratio"):
        open_study(tmp_path).open_trial({"family": "b", "ratio": 3.0})
