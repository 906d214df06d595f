"""``python -m ban_ray.networks``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ban_ray.networks import __main__ as command
from ban_ray.networks.paper_counts import PAPER_COUNTS
from tests.helpers.networks import PAPERS

FEW = ["densenet-bc-90-60", "match-densenet-14-1-3", "wide-resnet-28-10", "densenet-bc-16-8"]


def main(arguments: list[str]) -> int:
    """The exit status of the command."""
    with pytest.raises(SystemExit) as ended:
        command.main.main(arguments)
    return int(ended.value.code or 0)


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(FEW) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["network", "paper,", "M", "ours,", "M", "deviation", "GMAC"]
    assert [row.split() for row in rows[:4]] == [
        ["densenet-bc-90-60", "16.1", "16.241", "+0.87", "%", "5.938"],
        ["match-densenet-14-1-3", "80.5", "40.270", "-49.97", "%*", "13.909"],
        ["wide-resnet-28-10", "36", "36.537", "+1.49", "%", "5.243"],
        ["densenet-bc-16-8", "0.022180", "0.009046"],
    ]
    assert rows[4:] == ["* match-densenet-14-1-3: ours is exactly half of the printed count"]
    assert all(row == row.rstrip("…") and "\x1b" not in row for row in rows)


def test_without_names_it_shows_the_papers_networks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ban_ray.networks.__main__.PAPER_COUNTS", PAPER_COUNTS[5:9])
    assert main(["--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], f"{row['parameters'] / 1e6:.3f}") for row in rows] == [row[:2] for row in PAPERS[5:9]]
    assert [row["paper_millions"] for row in rows] == [36, 146, 20.9, 43.1]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "match-wide-resnet-4-0.50", "--size", "16"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row.pop("deviation_percent") == pytest.approx(100 * (24_407_605 / 24_300_000 - 1))
    assert row == {
        "name": "match-wide-resnet-4-0.5",
        "paper_millions": 24.3,
        "parameters": 24_407_605,
        "multiply_accumulates": 1_773_346_440,
        "note": "",
    }


def test_a_language_model_has_no_image_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lstm-2-200", "--size", "64"]) == 2
    assert "--size 64 has no effect: lstm-2-200 is a language model" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--classes", "10"], ["--channels", "1"]])
def test_the_papers_count_stands_beside_its_own_input_alone(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--json", "wide-resnet-28-10", *options]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["paper_millions"] is None
    assert row["deviation_percent"] is None


def test_own_network_with_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    name = f"{__name__}:pooled"
    assert main(["--json", name, "--network-args", '{"width": 5}', "--classes", "2", "--size", "8"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["parameters"], row["multiply_accumulates"]) == (name, 15 + 12, 15 * 64 + 10)


def pooled(num_classes: int, in_channels: int, width: int) -> object:
    """A 1x1 convolution, a global average pool and a linear layer."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(in_channels, width, 1, bias=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, num_classes),
    )


def test_names_are_printed_as_they_are(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_networks.py").write_text(
        f"from {__name__} import pooled\ndef factory(**sizes):\n    return pooled(**sizes, width=2)\nred = factory\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["my_networks:factory", "my_networks:red"]) == 0
    assert [row.split()[0] for row in capsys.readouterr().out.splitlines()[1:]] == [
        "my_networks:factory",
        "my_networks:red",
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["wide-resnet-27-10"], "Error: network wide-resnet-27-10: depth 27 is not"),
        (["densenet-bc-16-8", "resnet"], "Error: unknown network 'resnet'; allowed are"),
        (["densenet-bc-16-8", "--size", "3"], "Error: network densenet-bc-16-8 cannot classify images of 3 x 3 x 3"),
        (["densenet-bc-16-8", "--size", "0"], "Error: Invalid value for '--size': 0 is not in the range"),
        (["densenet-bc-16-8", "--network-args", "[" * 100_000], "Error: --network-args '[[[["),
        (["densenet-bc-16-8", "--network-args", "{"], "Error: --network-args '{' is not JSON: "),
        (
            ["densenet-bc-16-8", "--network-args", "[1]"],
            "Error: --network-args '[1]' is no JSON object",
        ),
        (["densenet-bc-16-8", "--network-args", '{"a": 1}'], "Error: network densenet-bc-16-8 takes no arguments"),
        (["--sise", "3"], "Error: No such option"),
    ],
)
def test_bad_input(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(sentence)
    assert captured.err.count("\n") == 1


def test_exit_status_of_the_process() -> None:
    command = [sys.executable, "-m", "ban_ray.networks", "densenet-bc-9-1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "Error: network densenet-bc-9-1: depth 9 is too small; at least 10 is needed\n"
