"""A sampled search with stopping through real Tune, on simulated curves: killed, started again, and asked once more."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

from ban_ray.population import Population, find_storage
from ban_ray.specs import digest

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[2]
SAMPLES = 10


def start(storage: Path, environment: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.search.simulated_search", str(storage), str(SAMPLES), "0.02"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: "subprocess.Popen[str]") -> dict[str, Any]:
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err[-3000:]
    return dict(json.loads(out))


def trials(storage: Path) -> list[FrozenTrial]:
    file = storage / "searches" / "simulated" / "study.journal"
    journal = JournalStorage(JournalFileBackend(str(file)))
    (name,) = optuna.get_all_study_names(journal)
    return optuna.load_study(study_name=name, storage=journal).trials


@pytest.mark.timeout(1200)
def test_killed_it_goes_on_without_running_or_repeated_trials(tmp_path: Path, environment: dict[str, str]) -> None:
    storage = tmp_path / "runs"
    killed = start(storage, environment)
    deadline = time.monotonic() + 300
    while len(list(storage.glob("population/*/member.json"))) < 6:
        assert killed.poll() is None, killed.communicate()
        assert time.monotonic() < deadline, "nothing was published"
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert "RUNNING" in [trial.state.name for trial in trials(storage)]
    before = {digest(trial.params) for trial in trials(storage)}

    first = finish(start(storage, environment))
    states = [trial.state.name for trial in trials(storage)]
    assert "RUNNING" not in states
    finished = [trial for trial in trials(storage) if trial.state.name in ("COMPLETE", "PRUNED")]
    assert len(finished) == SAMPLES
    identities = [digest(trial.params) for trial in finished]
    assert len(set(identities)) == SAMPLES, "no configuration is told twice"
    assert before <= set(identities), "what was begun is ended"
    assert first["configurations_finished"] + first["configurations_stopped"] == SAMPLES

    stopped = [trial for trial in finished if trial.state.name == "PRUNED"]
    assert len(stopped) == first["configurations_stopped"] > 0
    assert all(trial.values is None and trial.user_attrs["held_out_error_by_step"] for trial in stopped)
    chains = [path.read_bytes() for path in (storage / "searches" / "simulated" / "chains").iterdir()]
    assert len(chains) == SAMPLES
    for trial in finished:
        (chain,) = [json.loads(data) for data in chains if json.loads(data)["configuration"] == trial.params]
        are_members = [key in Population(find_storage(str(storage))) for key in chain["keys"]]
        assert all(are_members) or trial.state.name == "PRUNED" or "saturated" in trial.user_attrs
    errors = [entry["error"] for entry in first["front"]]
    sizes = [entry["parameters"] for entry in first["front"]]
    assert errors == sorted(errors)
    assert sizes == sorted(sizes, reverse=True), "a front: less error costs parameters"

    began = time.monotonic()
    repeated = finish(start(storage, environment))
    assert repeated["trained"] == 0
    assert repeated["front"] == first["front"]
    assert len(trials(storage)) == len(states)
    assert time.monotonic() - began < 60
