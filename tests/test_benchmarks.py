"""Benchmarks are not run here; that each can start, is, and that the one for GPUs measures on a CPU."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

FILES = sorted(Path(__file__).with_name("benchmarks").glob("*.py"))


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_it_finds_all_that_it_imports(name: str) -> None:
    importlib.import_module(f"tests.benchmarks.{name}")


def test_the_one_for_gpus_measures_on_a_cpu(tmp_path: Path) -> None:
    command = ["-m", "tests.benchmarks.gpu", str(tmp_path), "--device", "cpu", "--networks", "densenet-bc-10-4"]
    done = subprocess.run(
        [sys.executable, *command, "--only", "ours,tutorial,kept outputs"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        cwd=Path(__file__).parents[1],
    )
    rows = [json.loads(line) for line in (tmp_path / "gpu.jsonl").read_text().splitlines()]
    assert not [row for row in rows if "remark" in row], done.stdout
    speeds = {row["variant"]: row["images_per_second"] for row in rows if "variant" in row}
    assert speeds.keys() == {"bare eager", "ours", "tutorial", "kept outputs, first", "kept outputs, further"}
    assert min(speeds.values()) > 0
    assert "| densenet-bc-10-4 | kept outputs, further |" in (tmp_path / "gpu.md").read_text()


def test_the_one_for_gpus_names_what_it_leaves_out(tmp_path: Path) -> None:
    command = ["-m", "tests.benchmarks.gpu", str(tmp_path), "--device", "cpu", "--networks", "densenet-bc-10-4"]
    subprocess.run([sys.executable, *command, "--minutes", "0"], check=True, timeout=300, cwd=Path(__file__).parents[1])
    assert "densenet-bc-10-4, tutorial: left out" in (tmp_path / "gpu.md").read_text()
