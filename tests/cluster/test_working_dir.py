"""A user's own modules reach nodes that do not have them."""

from pathlib import Path

import pytest

from tests.helpers.command import Command

MODULE = """
from pathlib import Path
from torch import nn

def build(num_classes, in_channels):
    with open({witness!r}, "a") as witness:
        witness.write(f"{{Path(__file__).parent}}\\n")
    return nn.Sequential(nn.Flatten(), nn.Linear(64 * in_channels, num_classes))
"""


@pytest.mark.ray
def test_workers_import_the_copy(search: Command, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    (tmp_path / "mine.py").write_text(MODULE.format(witness=str(witness)))
    done = search(
        *("--space", "chain", "--network", "mine:build", "--epochs", "1", "--seeds", "0", "--generations", "0"),
        *("--working-dir", "."),
    )
    assert done.status == 0, done.err
    places = set(witness.read_text().splitlines())
    assert len(places) == 2, places
    assert any("working_dir_files" in place for place in places - {str(tmp_path)})


def test_no_folder(search: Command, tmp_path: Path) -> None:
    done = search("--space", "densenet_grid", "--working-dir", "nowhere", "--storage", "runs")
    assert done.status == 2
    assert done.err.splitlines()[-1] == "Error: --working-dir 'nowhere' is not a folder"
    assert not (tmp_path / "runs" / "searches").exists()
