"""Every end of a command: an exit status, one sentence, no traceback."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from ban_ray.cli.entry import EXIT_CLUSTER, EXIT_STORAGE, reports_errors
from ban_ray.errors import ClusterLost, DamagedMember, UserError

RESUME = "the same command goes on from here"

COMMAND = """
import time
from pathlib import Path

import click

from ban_ray.cli.entry import reports_errors, run


@reports_errors(resume="the rest comes later")
@click.command()
@click.argument("path")
def main(path):
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("not read by anyone", flush=True)
        Path(path).write_text("tidied")


run(main, "example")
"""


def ended_by(error: BaseException, **settings: object) -> Result:
    @reports_errors(**settings)  # type: ignore[arg-type]
    @click.command()
    def command() -> None:
        raise error

    return CliRunner(catch_exceptions=False).invoke(command)


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (UserError("--x 3: at most 2 is allowed"), 2, "Error: --x 3: at most 2 is allowed"),
        (click.BadParameter("no such thing"), 2, "Error: Invalid value: no such thing"),
        (DamagedMember("member a is damaged"), 2, "Error: member a is damaged"),
        (ClusterLost("Ray has died"), EXIT_CLUSTER, "Error: Ray has died"),
        (FileNotFoundError(2, "No such file", "a/b"), 2, "Error: a/b: No such file"),
        (OSError("the server is gone"), 2, "Error: the storage: the server is gone"),
        (KeyboardInterrupt(), 130, "Interrupted."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_errors_are_a_sentence_and_a_status(error: BaseException, status: int, sentence: str) -> None:
    done = ended_by(error)
    assert (done.exit_code, done.stderr.strip()) == (status, sentence)


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (OSError(28, "No space left", "a/b"), EXIT_STORAGE, "No space left: 'a/b'; what was published stays"),
        (DamagedMember("member a is damaged"), EXIT_STORAGE, "moves it out of the way; the same command then"),
        (KeyboardInterrupt(), 130, f"Interrupted; {RESUME}."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_a_command_that_can_be_repeated_says_so(error: BaseException, status: int, sentence: str) -> None:
    done = ended_by(error, storage_status=EXIT_STORAGE, resume=RESUME)
    assert done.exit_code == status
    assert sentence in done.stderr


def test_other_errors_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        ended_by(ZeroDivisionError())


@pytest.mark.parametrize(("result", "status"), [(None, 0), (3, 3)])
def test_a_command_that_ends_well(result: int | None, status: int) -> None:
    @reports_errors()
    @click.command()
    @click.pass_context
    def command(context: click.Context) -> None:
        if result is not None:
            context.exit(result)

    assert CliRunner().invoke(command).exit_code == status


def started(path: Path, terminal: int | None, before: Callable[[], object] | None = None) -> subprocess.Popen[bytes]:
    """A command in a session of its own, with its output in a terminal or a pipe."""
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if terminal is None else terminal,
        stderr=subprocess.PIPE if terminal is None else terminal,
        start_new_session=True,
        preexec_fn=before,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_end_a_command_tidily(tmp_path: Path, number: signal.Signals) -> None:
    process = started(tmp_path / "file", None)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.decode().strip() == "Interrupted; the rest comes later."
    assert (tmp_path / "file").read_text() == "tidied"


def test_a_terminal_that_closes_ends_a_command_tidily(tmp_path: Path) -> None:
    """Printing to it fails from then on, which must not cut the tidy end short."""
    controller, terminal = pty.openpty()
    process = started(tmp_path / "file", terminal)
    os.close(terminal)
    with os.fdopen(os.dup(controller), "rb") as lines:
        assert lines.readline() == b"ready\r\n"
    os.close(controller)
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 130
    assert (tmp_path / "file").read_text() == "tidied"


def test_nohup_is_obeyed(tmp_path: Path) -> None:
    process = started(tmp_path / "file", None, lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 130
