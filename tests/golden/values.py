"""The values that are recorded, as they are today, for comparison with the recorded ones."""

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

import analysis
from ban_ray.specs import Generation, Objective, Recipe, Task
from tests.golden import cases, internals
from tests.golden.commands import RECORDED, run

NO_RAY = ("--address", "127.0.0.1:1")
"""Nothing answers there, so that a search which wants to train ends with status 2."""

_MACHINES = ("seconds", "longest_s", "peak_bytes", "device", "devices", "memory_bytes")
"""Fields of a plan's cost that depend on the machine."""

_HELP = {
    "ban_ray.search": (),
    "ban_ray.population": ("ls", "show", "verify", "replay", "import", "export", "rm", "gc"),
    "ban_ray.cluster": ("doctor",),
    "ban_ray.networks": (),
    "analysis.report": (),
}


def hashes() -> dict[str, dict[str, str]]:
    """Digests that no command shows the same on every machine; searches' own are in what these write."""
    student = Generation(
        task=Task(name="digits", fingerprint="0" * 64),
        network="densenet-bc-16-8",
        recipe=Recipe(epochs=30, batch_size=32, workers=2, teacher_outputs="cached"),
        objective=Objective(name="ban"),
        seed=2,
        teachers=("1" * 63 + "2", "3" * 64),
    )
    here, gone = internals.FixedFile("/data/train.parquet"), internals.UnreadableFile("/data/test.parquet")
    sources: dict[str, dict[str, Any]] = {
        "digits": {"name": "digits"},
        "cifar100": {"name": "cifar100", "data": "/data", "label_column": "coarse_label"},
        "cifar10, downloaded": {"name": "cifar10", "data": "/data", "download": True},
        "folder": {"name": "folder", "data": "/data", "image_size": (48, 64)},
        "text": {"name": "text", "data": "/data", "tokens": "char"},
    }
    return {
        "kept outputs of a teacher": {
            device: internals.teacher_outputs_identity(student, device) for device in ("cpu", "cuda")
        },
        "decoded data": {
            name: internals.decoded_data_identity(source, (here, gone)) for name, source in sources.items()
        },
    }


def plan(*arguments: str) -> Any:
    """The plan of a search as JSON, with the types of what depends on the machine."""
    with internals.steps_measured_here():
        values = run("ban_ray.search", *arguments, "--storage", "none", "--plan", "--json").json
    if values["cost"] is not None:
        values["cost"] |= {field: type(values["cost"][field]).__name__ for field in _MACHINES}
    return values


def finished(name: str, storage: Path) -> dict[str, Any]:
    """A recorded search whose members are fabricated: its summary and what it has written."""
    case = cases.SEARCHES[name]
    _prepare(storage, case)
    internals.fabricate(storage, case.arguments)
    return _repeated(storage, case.arguments)


def sampled(name: str, storage: Path) -> dict[str, Any]:
    """The same of a sampled search, which goes on with the study and the chains that were recorded."""
    case, source = cases.SAMPLED[name], RECORDED / "sampled" / name
    _prepare(storage, case)
    (search,) = (folder for folder in source.iterdir() if folder.is_dir())
    shutil.copytree(search, storage / "searches" / search.name)
    chains = [json.loads(file.read_text()) for file in sorted((search / "chains").iterdir())]
    members = json.loads((source / "members.json").read_text())
    internals.fabricate(storage, case.arguments, [chain["configuration"] for chain in chains], members)
    return _repeated(storage, case.arguments)


def record_sampled(name: str, storage: Path) -> None:
    """Run a sampled search on fabricated members, and keep what `sampled` goes on with."""
    case, target = cases.SAMPLED[name], RECORDED / "sampled" / name
    _prepare(storage, case)
    internals.fabricated_search([*case.arguments, "--storage", str(storage)])
    shutil.rmtree(target, ignore_errors=True)
    (search,) = (folder for folder in (storage / "searches").iterdir() if (folder / "chains").is_dir())
    shutil.copytree(search, target / search.name, ignore=shutil.ignore_patterns("report", "ray"))
    members = sorted(folder.name for folder in (storage / "population").iterdir())
    (target / "members.json").write_text(json.dumps(members, indent=1) + "\n")


def tables(name: str, storage: Path, folder: Path) -> dict[str, str]:
    """Every table of the report on a search's fabricated members, as CSV by name."""
    internals.fabricate(storage, cases.SEARCHES[name].arguments)
    run("analysis.report", str(storage), "--tables", str(folder))
    return {file.stem: file.read_text() for file in sorted(folder.glob("*.csv"))}


def helps() -> dict[str, str]:
    """Help texts by command."""
    return {
        " ".join([module, *command]): run(module, *command, "--help").out
        for module, commands in _HELP.items()
        for command in ((), *((name,) for name in commands))
    }


def options() -> dict[str, list[str]]:
    """Names of options by command."""
    return {command: sorted(set(re.findall("--[a-z][a-z-]+", text))) for command, text in helps().items()}


def printed(storage: Path) -> str:
    """What the README's first search prints at its end, by fabricated members."""
    arguments = cases.SEARCHES["densenet_grid"].arguments
    internals.fabricate(storage, arguments)
    done = run("ban_ray.search", *arguments, "--storage", str(storage), *NO_RAY)
    return "\n".join(line.rstrip() for line in done.out.replace(str(storage), "STORAGE").splitlines()) + "\n"


def again(storage: Path, arguments: tuple[str, ...]) -> Any:
    """The summary of a search for which everything is trained."""
    done = run("ban_ray.search", *arguments, "--storage", str(storage), "--json", *NO_RAY)
    assert "Nothing to train" in done.err, done.err
    return json.loads(done.out.replace(str(storage), "STORAGE"))


def population(storage: Path) -> dict[str, Any]:
    """What commands and `analysis` say of a copy of the storage that an older version has written."""
    listed = run("ban_ray.population", "ls", "--storage", str(storage), "--json").json
    shown = {
        member["key"]: run("ban_ray.population", "show", member["key"], "--storage", str(storage), "--json").json
        for member in listed
    }
    return {
        "ls": listed,
        "lineages": {key: member["lineage"] for key, member in shown.items()},
        "verify": run("ban_ray.population", "verify", "--storage", str(storage), "--json").json,
        "searches": {
            name: again(storage, arguments) for name, arguments in (*cases.TRAINED.items(), ("taught", cases.TAUGHT))
        },
        "studies": {file.parent.name: studies(file) for file in sorted(storage.glob("searches/*/study.journal"))},
        "frames": frames(storage),
    }


def processor() -> str:
    """A digest of the processor's model and instructions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    names = ("model", "stepping", "flags", "cpu family")
    return hashlib.sha256("\n".join(sorted({line for line in lines if line.startswith(names)})).encode()).hexdigest()


def frames(storage: Path) -> dict[str, dict[str, list[Any]]]:
    """`analysis.load`'s frames by column; of predictions the means over each member's samples."""
    study = analysis.load(storage)
    predictions = [study.predictions(study.members["key"], part) for part in ("test", "held_out")]
    by_name = {
        "members": study.members,
        "chains": study.chains,
        "histories": study.histories(),
        "predictions": pd.concat([part.groupby("key", sort=False).mean().reset_index() for part in predictions]),
    }
    return {name: _columns(frame) for name, frame in by_name.items()}


def _columns(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """The values by column; what is not known is None."""
    split = json.loads(frame.to_json(orient="split", double_precision=15))
    rows = zip(*split["data"], strict=True)
    return {name: list(values) for name, values in zip(split["columns"], rows, strict=True)}


def studies(journal: Path) -> dict[str, Any]:
    """Optuna's studies in a file by name, with all their trials."""
    storage = JournalStorage(JournalFileBackend(str(journal)))
    return {name: _study(optuna.load_study(study_name=name, storage=storage)) for name in _names(storage)}


def _names(storage: JournalStorage) -> list[str]:
    return sorted(optuna.get_all_study_names(storage))


def _study(study: optuna.Study) -> dict[str, Any]:
    return {
        "directions": [direction.name for direction in study.directions],
        "metric_names": study.metric_names,
        "trials": [
            {
                "state": trial.state.name,
                "params": trial.params,
                "values": trial.values,
                "user_attrs": trial.user_attrs,
                "intermediate_values": {str(step): value for step, value in trial.intermediate_values.items()},
            }
            for trial in study.trials
        ],
    }


def _prepare(storage: Path, case: cases.Case) -> None:
    """Publish the members of the search before, and give the space's name to another search, so that the name of this
    one ends in a digest of its settings."""
    if case.before:
        internals.fabricate(storage, case.before)
    record = storage / "searches" / case.arguments[case.arguments.index("--space") + 1] / "search.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text('{"identity": {}}')


def _repeated(storage: Path, arguments: tuple[str, ...]) -> dict[str, Any]:
    """The summary and the contents of the search's folder: its record, the names of the files of its chains, which are
    digests of their contents, the first of these files, the choice of teachers, and the studies."""
    summary = again(storage, arguments)
    folder = storage / "searches" / summary["search"]
    chains = sorted(file.name for file in (folder / "chains").iterdir())
    jsons = ("search.json", f"chains/{chains[0]}", "teachers.json")
    return {
        "arguments": list(arguments),
        "summary": summary,
        "chains": chains,
        **{name: json.loads((folder / name).read_text()) for name in jsons if (folder / name).is_file()},
        "studies": studies(folder / "study.journal"),
    }
