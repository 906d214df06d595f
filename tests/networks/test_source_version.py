"""The version of a network of the user's own: what changes it, what does not, and that nothing is run for it."""

import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ban_ray.errors import UserError
from ban_ray.networks.building import build
from ban_ray.networks.custom_modules import own_modules
from ban_ray.networks.families.custom import CustomNetwork
from ban_ray.networks.registry import parse
from ban_ray.networks.source_version import require_version, source_version

_numbers = itertools.count()

BUILDER = '''\
"""Networks."""
import json
import torch
from torch import nn
from . import layers
from .sizes import WIDTH

NETWORK_FILES = ["weights.txt"]

def build(num_classes, in_channels, weights=None):
    """A linear layer."""
    from PACKAGE.late import scale
    return nn.Sequential(nn.Flatten(), nn.Linear(WIDTH * 3, num_classes))  # small
'''
FILES = {
    "__init__.py": "NAME = 'mine'\n",
    "networks.py": BUILDER,
    "layers.py": "import PACKAGE.deep.deeper\n",
    "sizes.py": "from . import networks\nWIDTH = 4\n",
    "late.py": "def scale(x):\n    return 2 * x\n",
    "deep/deeper.py": "DEPTH = 1\n",
    "unused.py": "import nothing_of_that_name\nx = 1\n",
    "weights.txt": "1 2 3",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the user's; its folder's name is its own."""
    folder = tmp_path / f"own_package_{next(_numbers)}"
    for name, text in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("PACKAGE", folder.name))
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def network(package: Path, **arguments: object) -> CustomNetwork:
    made = parse(f"{package.name}.networks:build", arguments)
    assert isinstance(made, CustomNetwork)
    return made


def edit(package: Path, name: str, old: str, new: str) -> None:
    text = (package / name).read_text()
    assert old in text
    (package / name).write_text(text.replace(old, new))


def test_counted_are_the_modules_that_importing_it_imports(package: Path) -> None:
    modules = ("", ".deep.deeper", ".late", ".layers", ".networks", ".sizes")
    assert list(own_modules(f"{package.name}.networks")) == [package.name + name for name in modules]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("networks.py", "  # small", "  # as small as can be\n\n\n"),
        ("networks.py", '"""A linear layer."""', '"""One linear layer,\n\n    and nothing else."""'),
        ("networks.py", '    """A linear layer."""\n', ""),
        ("networks.py", "nn.Linear(WIDTH * 3, num_classes)", "(nn.Linear(\n        (WIDTH * 3), num_classes,\n    ))"),
        ("__init__.py", "'mine'", '"mine"'),
        ("late.py", "2 * x", "0x2*x;"),
        ("unused.py", "x = 1", "x = 2"),
    ],
)
def test_what_does_not_count(package: Path, name: str, old: str, new: str) -> None:
    before = source_version(network(package))
    edit(package, name, old, new)
    assert source_version(network(package)) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("networks.py", "WIDTH * 3", "WIDTH * 4"),
        ("networks.py", "nn.Flatten()", "nn.Flatten(2)"),
        ("networks.py", "weights=None", 'weights="none"'),
        ("__init__.py", "mine", "yours"),
        ("layers.py", "import", "x = 1\nimport"),
        ("sizes.py", "4", "4.0"),
        ("late.py", "2 * x", "x * 2"),
        ("deep/deeper.py", "1", "True"),
        ("weights.txt", "2", "4"),
    ],
)
def test_what_counts(package: Path, name: str, old: str, new: str) -> None:
    before = source_version(network(package))
    edit(package, name, old, new)
    after = source_version(network(package))
    assert after != before
    assert after.startswith("source:")
    edit(package, name, new, old)
    assert source_version(network(package)) == before


def test_files_that_arguments_name_count(package: Path, tmp_path: Path) -> None:
    (tmp_path / "start.bin").write_bytes(b"one")
    own = network(package, weights=[{"from": str(tmp_path / "start.bin")}], other="no file " + "x" * 5000)
    before = source_version(own)
    (tmp_path / "start.bin").write_bytes(b"two")
    assert source_version(own) != before


def test_files_of_imported_modules_count_beside_them(package: Path) -> None:
    (package / "deep" / "table.csv").write_text("1")
    edit(package, "deep/deeper.py", "DEPTH", 'NETWORK_FILES: list[str] = ["table.csv"]\nDEPTH')
    before = source_version(network(package))
    (package / "deep" / "table.csv").write_text("2")
    assert source_version(network(package)) != before


def test_nothing_is_run(package: Path) -> None:
    for name in ("__init__.py", "networks.py", "layers.py"):
        edit(package, name, (package / name).read_text(), f"raise SystemExit\n{(package / name).read_text()}")
    loaded = set(sys.modules)
    assert len(own_modules(f"{package.name}.networks")) == 6
    assert set(sys.modules) == loaded


def test_installed_packages_do_not_count(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "some_library-1.0.dist-info").mkdir(parents=True)
    (elsewhere / "some_library.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(elsewhere)
    edit(package, "layers.py", "import", "import some_library, ban_ray.networks, sklearn.svm, email.message\nimport")
    before = source_version(network(package))
    (elsewhere / "some_library.py").write_text("x = 2\n")
    assert source_version(network(package)) == before
    assert len(own_modules(f"{package.name}.networks")) == 6
    # Its own package counts wherever it is: here a folder, on another node installed.
    assert list(own_modules("some_library")) == ["some_library"]


def test_the_folder_does_not_matter(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = source_version(network(package))
    (tmp_path / "moved").mkdir()
    package.rename(tmp_path / "moved" / package.name)
    monkeypatch.syspath_prepend(tmp_path / "moved")
    assert source_version(network(package)) == before


def test_what_cannot_be_parsed_or_read_as_source_has_a_version_too(package: Path) -> None:
    (package / "late.py").write_text("def scale(:\n")
    before = source_version(network(package))
    (package / "late.py").write_text("def scale(::\n")
    assert source_version(network(package)) != before
    (package / "late.py").write_text("x = " + "+".join(["1"] * 3000) + "\n")
    source_version(network(package))
    built_in = parse("math:sqrt")
    assert isinstance(built_in, CustomNetwork)
    source_version(built_in)


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("networks.py", '["weights.txt"]', "sorted(['weights.txt'])", "NETWORK_FILES of module .* plain list of texts"),
        ("networks.py", '["weights.txt"]', '"weights.txt"', "NETWORK_FILES of module .* is no plain list of texts"),
        ("networks.py", '["weights.txt"]', '["missing.txt"]', "its file '.*missing.txt' cannot be read: No such file"),
        ("networks.py", '["weights.txt"]', '["deep"]', "its file '.*deep' cannot be read: Is a directory"),
    ],
)
def test_declarations_that_cannot_be_used(package: Path, name: str, old: str, new: str, sentence: str) -> None:
    edit(package, name, old, new)
    with pytest.raises(UserError, match=sentence) as caught:
        source_version(network(package))
    assert "\n" not in str(caught.value)


def test_a_module_that_is_not_there(package: Path) -> None:
    missing = parse(f"{package.name}.networsk:build")
    assert isinstance(missing, CustomNetwork)
    with pytest.raises(UserError, match=rf"module {package.name}\.networsk cannot be imported \(No module named"):
        source_version(missing)


def test_other_code_than_the_versions_is_not_built(package: Path) -> None:
    own = network(package)
    version = source_version(own)
    build(own.name, 2, version=version)
    edit(package, "weights.txt", "2", "4")
    refused: list[Callable[[], object]] = [
        lambda: build(own.name, 2, version=version),
        lambda: require_version(own, version),
    ]
    for call in refused:
        with pytest.raises(UserError, match=f"a file that it reads, is source:[0-9a-f]* here and was {version} where"):
            call()
    for pinned in ("", "2"):
        build(own.name, 2, version=pinned)


def test_code_that_this_process_has_loaded_is_not_built_under_the_version_of_other_code(package: Path) -> None:
    """A worker builds the networks of many chains, and Python keeps what it has imported."""
    name = network(package).name
    assert build(name, 10, 1, version=source_version(network(package))).training
    edit(package, "networks.py", "WIDTH * 3", "WIDTH * 4")
    with pytest.raises(UserError, match=r"networks\.py was edited after this process had loaded it"):
        build(name, 10, 1, version=source_version(network(package)))
