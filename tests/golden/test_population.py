"""A storage that an older version has written is read as it was, goes on, and is not written to for nothing."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.golden import cases, values
from tests.golden.commands import assert_same, read, run
from tests.golden.record import POPULATION, ROOT


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return shutil.copytree(POPULATION, tmp_path / "population")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_it_is_read_as_it_was(storage: Path) -> None:
    """By `ls`, `show`, `verify`, the same searches again, and `analysis.load`."""
    assert_same(values.population(storage), read("population.json"))
    for room in ("population", "outputs", "unfinished"):
        assert contents(storage / room) == contents(POPULATION / room)
    chains = {path: data for path, data in contents(POPULATION / "searches").items() if not path.endswith(".journal")}
    assert chains.items() <= contents(storage / "searches").items()


def test_a_member_is_shown_as_its_record(storage: Path) -> None:
    for member in read("population.json")["ls"]:
        record = json.loads((storage / "population" / member["key"] / "member.json").read_text())
        shown = run("ban_ray.population", "show", member["key"], "--storage", str(storage), "--json").json
        assert shown["record"] == record
        for file in ("weights", "predictions", "history"):
            assert (storage / "population" / member["key"] / record[file]["name"]).stat().st_size == record[file][
                "size"
            ]


def test_kept_outputs_of_a_teacher() -> None:
    (file,) = (POPULATION / "outputs").glob("*/*")
    assert (POPULATION / "population" / file.parent.name).is_dir()
    rows = int(re.fullmatch(r"[0-9a-f]{64}-([0-9]{10})-[0-9a-f]{64}\.safetensors", file.name)[1])  # type: ignore[index]
    arrays = load_file(file)
    assert {name: (array.dtype, array.shape) for name, array in arrays.items()} == {
        "numbers": (np.int64, (rows,)),
        "rows": (np.float16, (rows, 10)),
    }


@pytest.mark.parametrize("network", ["densenet-bc-10-4", cases.OWN_NETWORK, "lstm-1-8"])
def test_replays(network: str, storage: Path) -> None:
    """The same bits on the processor and with the versions that trained them; elsewhere almost the same."""
    members = [each for each in read("population.json")["ls"] if each["network"] == network and not each["imported"]]
    key, task = members[-1]["key"], members[-1]["task"]
    data = {"digits": (), "folder": ("--data", "pictures"), "text": ("--data", "text")}[task]
    replay = run("ban_ray.population", "replay", key, "--storage", str(storage), "--json", *data, status=None).json
    assert replay["key"] == key
    deviations = [float(number) for line in replay["differences"] for number in re.findall(r"by up to (\S+)", line)]
    assert max(deviations, default=0) < 1e-3, replay
    elsewhere = any(line.startswith("provenance: ") for line in replay["differences"])
    assert replay["same_bits"] or elsewhere or values.processor() != read("processor.json"), replay


@pytest.mark.ray
def test_an_interrupted_search_goes_on_from_its_checkpoint(storage: Path) -> None:
    (newest,) = {max(each.iterdir()).name for each in (storage / "unfinished").glob("*/*")}
    (key,) = (folder.name for folder in (storage / "unfinished").iterdir())
    done = subprocess.run(
        [sys.executable, "-m", "ban_ray.search", *cases.UNFINISHED, "--storage", str(storage), "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trained"] == 1
    shown = run("ban_ray.population", "show", key, "--storage", str(storage), "--json").json
    assert shown["record"]["provenance"]["resumed_after_epochs"] == [int(newest.split("-")[1])]
    assert not (storage / "unfinished" / key).exists()
