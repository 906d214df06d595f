"""Benchmarks are not run here; that each can start, is."""

import importlib
from pathlib import Path

import pytest

FILES = sorted(Path(__file__).with_name("benchmarks").glob("*.py"))


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_it_finds_all_that_it_imports(name: str) -> None:
    importlib.import_module(f"tests.benchmarks.{name}")
