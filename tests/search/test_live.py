"""What a terminal shows of chains in training."""

from typing import Any

from rich.console import Console

from ban_ray.search.config.choices import Options
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.results.live import LiveProgress
from ban_ray.search.results.progress import PlainProgress


def chain() -> PlannedChain:
    return resolve(Options(space="chain", network="densenet-bc-10-4", seeds=(0,), generations=2)).chains[0]


def drawn(board: LiveProgress, console: Console) -> str:
    with console.capture() as capture:
        console.print(board)
    return capture.get()


def epoch(number: int, error: float) -> dict[str, Any]:
    return {
        "generation": number,
        "epoch": 3,
        "epochs": 45,
        "held_out_error": error,
        "images_per_second": 512.0,
        "seconds": 2.0,
    }


def published(number: int, error: float, how: str = "published") -> dict[str, Any]:
    return {"generation": number, how: True, "held_out_error": error, "test_error": error + 1}


def test_a_chain_that_goes_on_says_so_and_knows_its_teachers_error() -> None:
    for width, starts, waits in ((80, "starts", "waits abcdef01"), (200, "starting its workers", "waits for abcdef01")):
        console = Console(width=width, force_terminal=True, legacy_windows=False, no_color=True)
        planned = chain()
        board = LiveProgress(console, [planned], 1)
        assert "1 queued" in drawn(board, console)
        board.on_chain_start(planned)
        assert starts in drawn(board, console)
        board.on_report(planned, published(0, 12.0, "taken"))
        board.on_report(planned, published(1, 10.0, "taken"))
        text = drawn(board, console)
        assert starts in text
        assert "0/?" not in text
        assert "0 of 1 generations published" in text
        board.on_report(planned, {"waiting_for": "abcdef0123456789"})
        text = drawn(board, console)
        assert all(word in text for word in waits.split())
        board.on_report(planned, epoch(2, 11.25))
        text = drawn(board, console)
        assert "BAN-2" in text
        assert "3/45" in text
        assert "11.25" in text
        assert "512" in text
        assert "-2.00" in text, "BAN-1 against the baseline"
        board.on_report(planned, published(2, 9.5))
        text = drawn(board, console)
        assert "-0.50" in text
        assert "1 of 1 generations published" in text


def test_plain_lines_know_it_too() -> None:
    console = Console(width=120)
    planned = chain()
    lines = PlainProgress(console, [planned], 1)
    with console.capture() as capture:
        lines.on_chain_start(planned)
        lines.on_report(planned, published(1, 10.0, "taken"))
        lines.on_report(planned, published(2, 9.5))
    (line,) = capture.get().splitlines()
    assert "1/1" in line
    assert "(-0.50 against its teacher)" in line
