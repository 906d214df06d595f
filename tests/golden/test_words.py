"""Help texts and what a search prints, however it is wrapped; after a wanted change: see `tests.golden`."""

from pathlib import Path

from tests.golden import values
from tests.golden.commands import RECORDED, run


def recorded(name: str) -> list[str]:
    return (RECORDED / "words" / f"{name}.txt").read_text(encoding="utf-8").split()


def test_help() -> None:
    for command, text in values.helps().items():
        assert text.split() == recorded(command.replace(" ", "-")), command


def test_list() -> None:
    assert run("ban_ray.search", "--list").out.split() == recorded("ban_ray.search-list")


def test_the_readmes_search_as_it_is_printed(tmp_path: Path) -> None:
    assert values.printed(tmp_path).split() == recorded("densenet_grid")
