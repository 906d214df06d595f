"""Numbers, sizes and times as they are printed."""

import pytest

from ban_ray.cli.text import format_bytes, format_count, format_duration, pluralised


@pytest.mark.parametrize(("number", "text"), [(0, "0 chains"), (1, "1 chain"), (2, "2 chains"), (1397, "1,397 chains")])
def test_nouns(number: int, text: str) -> None:
    assert pluralised(number, "chain") == text


@pytest.mark.parametrize(("number", "text"), [(202, "202"), (20_400, "20.4 k"), (7_494_000, "7.494 M")])
def test_counts(number: int, text: str) -> None:
    assert format_count(number) == text


@pytest.mark.parametrize(("size", "text"), [(512, "512 bytes"), (20_000, "20.0 kB"), (1_500_000_000, "1.5 GB")])
def test_bytes(size: int, text: str) -> None:
    assert format_bytes(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(42, "42 s"), (420, "7 min"), (3600 * 3.2, "3.2 h"), (86400 * 5.1, "5.1 d")]
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
