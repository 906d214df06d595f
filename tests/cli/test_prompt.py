"""The question before what costs much: nothing but yes goes on."""

import pytest

from ban_ray.cli.prompt import confirm
from ban_ray.errors import UserError


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
