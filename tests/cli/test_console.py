"""Texts are printed as they are, tables have one look, what is piped is whole, and nothing but yes goes on."""

import io

import pytest

from ban_ray.cli.console import Console, confirm, new_table
from ban_ray.errors import UserError

USER_TEXT = "mod:factory [red]3[/red] a/path:tiger: 42"


@pytest.mark.parametrize("terminal", [False, True])
def test_neither_markup_nor_emoji_nor_numbers_mean_anything(terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, legacy_windows=False, width=100)
    with console.capture() as capture:
        console.say(USER_TEXT)
        console.table(("name",), [(USER_TEXT,)])
        console.key_values([("name", USER_TEXT)])
        console.print(new_table(("name",), [(USER_TEXT,)]))
    printed = capture.get()
    assert printed.count(USER_TEXT) == 4
    assert not terminal or "\x1b[" not in printed.splitlines()[0], "no number is coloured"


def test_what_a_terminal_would_obey_is_replaced() -> None:
    console = Console(file=io.StringIO())
    with console.capture() as capture:
        console.say("evil\x1b]0;title\x07")
        console.table(("name",), [("evil\x1b[31m",)])
    assert "\x1b" not in capture.get()
    assert capture.get().count("\N{REPLACEMENT CHARACTER}") == 3


def test_a_pipe_gets_whole_lines_without_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    console = Console(file=io.StringIO())
    with console.capture() as capture:
        console.say("word " * 300)
        console.table(("name", "count"), [("n" * 500, "3")])
    sentence, heading, row = capture.get().splitlines()
    assert len(sentence) == 5 * 300
    assert heading.split() == ["name", "count"]
    assert row.split() == ["n" * 500, "3"]


def test_a_terminal_gets_lines_of_its_width() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, legacy_windows=False, width=40, color_system=None)
    with console.capture() as capture:
        console.say("word " * 20)
        console.table(("name", "count"), [("n" * 50, "3")])
    assert max(map(len, capture.get().splitlines())) <= 40
    with console.capture() as capture:
        console.say("p" * 60, wrap=False)
    assert capture.get() == "p" * 60 + "\n", "a path can be copied"


def ask(*, stderr: bool = False) -> None:
    confirm("Go?", without_terminal="nobody is there", declined="not confirmed", stderr=stderr)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the terminal answers, in order; at the end of it nothing."""
    given: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda: given.pop(0) if given else "", raising=False)
    return given


@pytest.mark.parametrize("answer", ["yes\n", "YES\n", " yes \n"])
@pytest.mark.parametrize("stderr", [False, True])
def test_yes_goes_on(answers: list[str], capsys: pytest.CaptureFixture[str], answer: str, stderr: bool) -> None:
    answers.append(answer)
    ask(stderr=stderr)
    told = capsys.readouterr()
    assert (told.out, told.err)[:: -1 if stderr else 1] == ("Go? Type yes to go on: ", "")


@pytest.mark.parametrize("answer", ["no\n", "y\n", "\n", ""])
def test_anything_else_does_not(answers: list[str], answer: str) -> None:
    answers.append(answer)
    with pytest.raises(UserError, match=r"^not confirmed$"):
        ask()


def test_without_a_terminal_nobody_is_asked(
    answers: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.append("yes\n")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(UserError, match=r"^nobody is there$"):
        ask()
    assert capsys.readouterr().out == ""
