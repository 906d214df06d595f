"""Imports that the room may have, and the time that they take."""

import subprocess
import sys

import pytest


def loaded(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after running the code."""
    script = f"import sys\n{code}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import analysis, analysis.report",
        "import analysis.data.study, analysis.report.content, analysis.report.page, analysis.plots, analysis.tables",
    ],
)
def test_neither_ray_nor_torch(code: str) -> None:
    assert not loaded(code) & {"ray", "torch", "torchvision", "optuna"}


def test_sentences_and_help_are_cheap() -> None:
    heavy = {"pandas", "matplotlib", "scipy", "jinja2", "pyarrow"}
    assert not loaded("from analysis.statistics import crossed_interval, sentence") & heavy
    assert not loaded("import analysis.report.__main__") & (heavy | {"numpy", "pydantic"})
