"""Progress in a terminal and as plain lines."""

import math

import pytest

from ban_ray.cli.console import Console
from ban_ray.runtime.events import EpochEnded, Published, Reused, Waiting
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.results.live import LiveProgress
from ban_ray.search.results.progress import PlainProgress
from ban_ray.specs import Objective, Recipe, Task, born_again, sequence


def chain() -> PlannedChain:
    return resolve(SearchOptions(space="chain", network="densenet-bc-10-4", seeds=(0,), generations=2)).chains[0]


def drawn(progress: LiveProgress, console: Console) -> str:
    with console.capture() as capture:
        console.print(progress)
    return capture.get()


def epoch(number: int, error: float) -> EpochEnded:
    values = {"epoch": 3, "held_out_error": error, "images_per_second": 512.0, "seconds": 2.0}
    return EpochEnded(generation=number, key="k", epochs=45, metrics=values)


def errors(error: float) -> dict[str, float]:
    return {"held_out_error": error, "test_error": error + 1}


def test_a_chain_that_goes_on_says_so_and_knows_its_teachers_error() -> None:
    for width, starts, waits in ((80, "starts", "waits abcdef01"), (200, "starting its workers", "waits for abcdef01")):
        console = Console(width=width, force_terminal=True, legacy_windows=False, no_color=True)
        planned = chain()
        progress = LiveProgress(console, [planned], 1)
        assert "1 queued" in drawn(progress, console)
        progress.on_chain_start(planned)
        assert starts in drawn(progress, console)
        progress.on_event(planned, Reused(generation=0, key="k", metrics=errors(12.0)))
        progress.on_event(planned, Reused(generation=1, key="k", metrics=errors(10.0)))
        text = drawn(progress, console)
        assert starts in text
        assert "0/?" not in text
        assert "0 of 1 generations published" in text
        progress.on_event(planned, Waiting(key="abcdef0123456789"))
        text = drawn(progress, console)
        assert all(word in text for word in waits.split())
        progress.on_event(planned, epoch(2, 11.25))
        text = drawn(progress, console)
        assert "BAN-2" in text
        assert "3/45" in text
        assert "11.25" in text
        assert "512" in text
        assert "-2.00" in text, "BAN-1 against the baseline"
        progress.on_event(planned, Published(generation=2, key="k", metrics=errors(9.5)))
        text = drawn(progress, console)
        assert "-0.50" in text
        assert "1 of 1 generations published" in text


def test_plain_lines_know_it_too() -> None:
    console = Console(width=120)
    planned = chain()
    lines = PlainProgress(console, [planned], 1)
    with console.capture() as capture:
        lines.on_chain_start(planned)
        lines.on_event(planned, Reused(generation=1, key="k", metrics=errors(10.0)))
        lines.on_event(planned, Published(generation=2, key="k", metrics=errors(9.5)))
    (line,) = capture.get().splitlines()
    assert "1/1" in line
    assert "(-0.50 points against generation 1)" in line


def test_a_gain_of_perplexity_is_its_logarithms_in_every_view() -> None:
    task, recipe = Task(name="text", fingerprint="0" * 64, tokens="word"), Recipe(epochs=10, batch_size=50)
    text = born_again(task, ["lstm-1-8"] * 2, recipe, Objective(name="ban+l"), seed=0, generations=1)
    planned = PlannedChain({}, 0, text, sequence(text))
    # Perplexities of 148 and 134 differ by 14.1, and by 10 log %.
    baseline = Reused(generation=0, key="k", metrics={"held_out_log_likelihood": -5.0})
    student = Published(generation=1, key="k", metrics={"held_out_log_likelihood": -4.9})
    console = Console(width=200, force_terminal=True, legacy_windows=False, no_color=True)
    live, lines = LiveProgress(console, [planned], 2), PlainProgress(console, [planned], 2)
    with console.capture() as capture:
        for view in (live, lines):
            view.on_chain_start(planned)
            view.on_event(planned, baseline)
            view.on_event(planned, student)
    assert "(-10.00 log % of perplexity against generation 0)" in capture.get()
    text_drawn = drawn(live, console)
    assert "gain, log % of perplexity" in text_drawn
    assert "-10.00" in text_drawn
    assert planned.metric.difference(math.exp(4.9), math.exp(5.0)) == pytest.approx(-10.0)
