"""Commands in this process, files of recorded values, and the comparison of the two."""

import csv
import io
import json
import math
import runpy
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

RECORDED = Path(__file__).with_name("recorded")


@dataclass(frozen=True)
class Run:
    """A finished command."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(module: str, *arguments: str, status: int | None = 0) -> Run:
    """``python -m MODULE ARGUMENTS`` in this process, 100 columns wide.

    Args:
        status: that it has to end with; None for any.
    """
    out, err = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    ended: object = 0
    with (
        patch.object(sys, "argv", [module, *arguments]),
        patch.dict("os.environ", {"COLUMNS": "100"}),
        redirect_stdout(out),
        redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        # Other tests may have imported the module.
        warnings.filterwarnings("ignore", message=".*found in sys.modules after import of package.*")
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as error:
            ended = error.code or 0
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    assert isinstance(ended, int), ended
    assert status is None or ended == status, err.getvalue()
    return Run(ended, out.getvalue(), err.getvalue())


@contextmanager
def within(folder: Path) -> Iterator[None]:
    """Commands are typed in a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    with chdir(folder):
        yield


def read(name: str) -> Any:
    """Recorded JSON values."""
    return json.loads((RECORDED / name).read_text(encoding="utf-8"))


def write(name: str, value: object) -> None:
    """Record JSON values."""
    file = RECORDED / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def cells(text: str) -> list[list[float | str]]:
    """A table in CSV, with numbers where its cells are some."""
    return [[_cell(cell) for cell in row] for row in csv.reader(io.StringIO(text))]


def _cell(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def assert_same(current: Any, recorded: Any, path: str = "") -> None:
    """Compare JSON values; numbers with a fraction may differ in their last digits, as processors do."""
    if isinstance(recorded, float) and isinstance(current, float):
        close = math.isclose(current, recorded, rel_tol=1e-5, abs_tol=1e-7)
        assert close or (math.isnan(current) and math.isnan(recorded)), f"{path}: {current} was {recorded}"
    elif isinstance(recorded, Mapping) and isinstance(current, Mapping):
        assert list(current) == list(recorded), f"{path}: the fields {list(current)} were {list(recorded)}"
        for name in recorded:
            assert_same(current[name], recorded[name], f"{path}.{name}")
    elif isinstance(recorded, Sequence) and not isinstance(recorded, str) and isinstance(current, Sequence):
        assert len(current) == len(recorded), f"{path}: {len(current)} values were {len(recorded)}"
        for number, (new, old) in enumerate(zip(current, recorded, strict=True)):
            assert_same(new, old, f"{path}[{number}]")
    else:
        assert type(current) is type(recorded) and current == recorded, f"{path}: {current!r} was {recorded!r}"
