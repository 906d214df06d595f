"""Whole searches through Ray, as processes; slow to start, so each test shows several things."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tests.helpers.command import Command, contents, write_space

pytestmark = pytest.mark.ray

DATA = Path(__file__).parents[3] / "shared" / "data"


def test_a_search_grows_and_never_trains_twice(search: Command, tmp_path: Path) -> None:
    space = write_space(tmp_path)
    first = search("--space", space, "--storage", "runs", "--json", "--seeds", "0")
    assert first.status == 0, first.err
    assert first.json["trained"] == 4
    assert "not the papers' setting" in first.json["regime"]
    assert "Search algorithm" not in first.err, "Tune's own table"
    assert len(first.err.splitlines()) < 60, "calm"
    before = contents(tmp_path / "runs")
    assert len(before) == 8

    repeated = search("--space", space, "--storage", "runs", "--json", "--seeds", "0")
    assert repeated.json["trained"] == 0
    assert "Nothing to train" in repeated.err
    assert "Ray: " not in repeated.err, "no cluster is started"
    assert repeated.json["rows"] == first.json["rows"]

    larger = search("--space", space, "--storage", "runs", "--json", "--seeds", "0,1", "--generations", "2")
    # Of two networks one more generation of the seed that was there, and three of another.
    assert larger.json["trained"] == 2 + 6
    assert len(larger.json["rows"]) == 2
    assert not any(row["test_error"]["Ens*2"]["with_baseline"] for row in larger.json["rows"])
    after = contents(tmp_path / "runs")
    assert before.items() <= after.items()
    assert not (tmp_path / "runs" / "unfinished").exists() or not any((tmp_path / "runs" / "unfinished").iterdir())
    assert not (tmp_path / "runs" / "searches" / "tiny" / "ray").exists()

    storage = JournalStorage(JournalFileBackend(str(tmp_path / "runs" / "searches" / "tiny" / "study.journal")))
    studies = {summary.study_name: summary.n_trials for summary in optuna.get_all_study_summaries(storage)}
    assert sorted(studies.values()) == [2, 2]
    for name in studies:
        trials = optuna.load_study(study_name=name, storage=storage).trials
        assert {trial.state.name for trial in trials} == {"COMPLETE"}
        assert sorted(trial.params["growth"] for trial in trials) == [4, 6]

    other = search("--space", space, "--storage", "runs", "--json", "--seeds", "0", "--epochs", "1", "--name", "tiny")
    assert other.status == 2
    assert "recipe" in other.err


# Beside it every run shows the same with three kills (test_faults.py), the undisturbed one with a chain at a time.
@pytest.mark.slow
def test_bytes_do_not_depend_on_concurrency_or_on_a_kill(
    search: Command, tmp_path: Path, environment: dict[str, str]
) -> None:
    space = write_space(tmp_path, epochs=30)
    quiet = search("--space", space, "--storage", "one", "--concurrent", "1", "--seeds", "0")
    assert quiet.status == 0, quiet.err
    killed = subprocess.Popen(
        [sys.executable, "-m", "ban_ray.search", "--space", space, "--storage", "two", "--seeds", "0"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list((tmp_path / "two").glob("unfinished/*/*/epoch-*")):
        assert time.monotonic() < deadline, "no checkpoint came"
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert len(contents(tmp_path / "two")) < 8
    resumed = search("--space", space, "--storage", "two", "--seeds", "0")
    assert resumed.status == 0, resumed.err
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_failed_chain_leaves_the_others_running(search: Command, tmp_path: Path) -> None:
    text = Path(write_space(tmp_path)).read_text()
    text = text.replace(
        "setting.recipe, setting.objective",
        "setting.recipe.model_copy(update={'learning_rate': 1e9 if configuration['growth'] == 6 else 0.1}), "
        "setting.objective",
    )
    (tmp_path / "failing.py").write_text(text)
    run = search("--space", "failing.py", "--storage", "runs", "--json", "--seeds", "0")
    assert run.status == 3, run.err
    good, bad = run.json["rows"]
    assert good["failures"] == []
    assert len(good["test_error"]["BAN-1"]["errors"]) == 1
    assert "not finite" in bad["failures"][0]
    began = time.monotonic()
    repeated = search("--space", "failing.py", "--storage", "runs", "--json", "--seeds", "0")
    assert repeated.status == 3
    assert "not finite" in repeated.json["rows"][1]["failures"][0]
    assert repeated.json["trained"] == 0
    assert time.monotonic() - began < 60


@pytest.mark.skipif(not (DATA / "cifar100_dev").is_dir(), reason="CIFAR-100 images are not at hand")
def test_real_images_on_two_workers(search: Command, tmp_path: Path) -> None:
    run = search(
        *("--space", write_space(tmp_path), "--task", "cifar100", "--data", str(DATA / "cifar100_dev")),
        *("--storage", "runs", "--json", "--seeds", "0", "--epochs", "1", "--workers", "2", "--batch-size", "64"),
    )
    assert run.status == 0, run.err
    assert run.json["trained"] == 4
    assert "label" not in run.json["regime"]
    assert "9,000 training, 1,000 held-out and 2,000 test images" in run.json["regime"]
