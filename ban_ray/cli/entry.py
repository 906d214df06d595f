"""The way in and out of a command: its errors are one sentence and an exit status, and signals end it tidily."""

import os
import signal
import stat
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn, TypeVar

import click

from ban_ray.errors import ClusterLost, DamagedMember, UserError, storage_sentence

EXIT_BAD_INPUT = 2
EXIT_CHAINS_FAILED = 3
EXIT_STORAGE = 4
EXIT_CLUSTER = 5
EXIT_INTERRUPTED = 130

C = TypeVar("C", bound=click.Command)


def run(command: click.Command, module: str) -> NoReturn:
    """Run a command as ``python -m module``; SIGTERM and a terminal that closes end it as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # nohup has SIGHUP ignored.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    command.main(prog_name=f"python -m {module}")
    raise SystemExit(0)


def reports_errors(*, storage_status: int = EXIT_BAD_INPUT, resume: str = "") -> Callable[[C], C]:
    """A decorator for a click command that then ends with one sentence and an exit status where it cannot go on.

    Args:
        storage_status: exit status where a member is damaged or a file cannot be read or written.
        resume: what an interrupted command or one whose storage fails leaves behind, the end of a sentence.
    """

    def decorate(command: C) -> C:
        main = command.main

        def guarded(*args: Any, **settings: Any) -> NoReturn:
            sys.exit(_status(lambda: main(*args, **{**settings, "standalone_mode": False}), storage_status, resume))

        command.main = guarded  # type: ignore[method-assign]
        return command

    return decorate


def _status(main: Callable[[], Any], storage_status: int, resume: str) -> int:
    ending = f"; {resume}" if resume else ""
    try:
        result = main()
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return EXIT_BAD_INPUT
    except click.ClickException as error:
        return _fail(error.format_message(), EXIT_BAD_INPUT)
    except UserError as error:
        return _fail(str(error), EXIT_BAD_INPUT)
    except DamagedMember as error:
        return _fail(f"{error.advice}; the same command then trains it again" if resume else str(error), storage_status)
    except ClusterLost as error:
        return _fail(str(error), EXIT_CLUSTER)
    except OSError as error:
        file = error.filename or "the storage"
        return _fail(storage_sentence(error) if resume else f"{file}: {error.strerror or error}", storage_status)
    except (click.Abort, KeyboardInterrupt):
        click.echo(f"Interrupted{ending}.", err=True)
        return EXIT_INTERRUPTED


def _fail(sentence: str, status: int) -> int:
    click.echo(f"Error: {sentence}", err=True)
    return status


def _interrupt(number: int, _: FrameType | None) -> None:
    if number == signal.SIGHUP:
        # The terminal is gone: printing to it would fail, and with it the tidy end.
        for stream in (1, 2):
            if stat.S_ISCHR(os.fstat(stream).st_mode):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream)
                os.close(nowhere)
    raise KeyboardInterrupt
