"""Texts are printed as they are, tables have one look, and what is piped is neither cut nor coloured."""

import io

import pytest

from ban_ray.cli.console import Console, new_table

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
