"""Downloads by torchvision's own code, from a server on this machine and from a port at which nobody answers."""

import functools
import gzip
import hashlib
import http.server
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from torchvision import datasets

from ban_ray.errors import UserError
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from tests.helpers.image_files import gray_pictures, random_pictures, write_cifar, write_idx

PICTURES = random_pictures(12)
NOBODY = "http://127.0.0.1:9/"


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Tests read what the code under test prints."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address under which the files of ``tmp_path / "server"`` are."""
    handler = functools.partial(Quiet, directory=str(tmp_path / "server"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}/"
        running.shutdown()
        thread.join()


@pytest.fixture
def published(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small CIFAR-100 where torchvision looks for the real one."""
    place = write_cifar(tmp_path / "server", "cifar100", PICTURES, PICTURES) / "cifar-100-python"
    (place / "meta").write_bytes(b"\x80\x02}(U\x10fine_label_names](U\x01aeu.")
    archive = tmp_path / "server" / "cifar-100-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(place, place.name)
    cifar = datasets.CIFAR100
    monkeypatch.setattr(cifar, "url", f"{server}{archive.name}")
    monkeypatch.setattr(cifar, "tgz_md5", md5(archive))
    monkeypatch.setattr(cifar, "train_list", [["train", md5(place / "train")]])
    monkeypatch.setattr(cifar, "test_list", [["test", md5(place / "test")]])
    monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": md5(place / "meta")})
    return place.parent


def test_cifar_is_downloaded_once_and_only_when_asked(
    tmp_path: Path, published: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "new" / "data"
    with pytest.raises(UserError, match="is not a folder"):
        Source.of("cifar100", str(data))
    first = open_source(Source.of("cifar100", str(data), download=True))
    assert capsys.readouterr().out == "", "stdout belongs to --json"
    assert first.fingerprint == open_source(Source.of("cifar100", str(published))).fingerprint
    assert [entry.name for entry in data.iterdir()] == ["cifar-100-python"]
    monkeypatch.setattr(datasets.CIFAR100, "url", NOBODY)
    assert open_source(Source.of("cifar100", str(data), download=True)).fingerprint == first.fingerprint
    assert open_source(Source.of("cifar100", str(data))).fingerprint == first.fingerprint


def test_fashion_mnist_is_downloaded(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "server"
    write_idx(place, gray_pictures(12, 1), gray_pictures(10, 2), packed=True)
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [server])
    sums = [(name, md5(place / name)) for name, _ in datasets.FashionMNIST.resources]
    monkeypatch.setattr(datasets.FashionMNIST, "resources", sums)
    downloaded = open_source(Source.of("fashion_mnist", str(tmp_path / "data"), download=True))
    assert downloaded.fingerprint == open_source(Source.of("fashion_mnist", str(place))).fingerprint


@pytest.mark.parametrize("broken", ["network", "checksum", "archive"])
def test_a_failed_download_is_one_sentence(
    tmp_path: Path, published: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    archive = published / "cifar-100-python.tar.gz"
    if broken == "network":
        monkeypatch.setattr(datasets.CIFAR100, "url", f"{NOBODY}cifar-100-python.tar.gz")
    elif broken == "checksum":
        archive.write_bytes(archive.read_bytes()[:-1])
    else:
        archive.write_bytes(gzip.compress(b"no archive"))
        monkeypatch.setattr(datasets.CIFAR100, "tgz_md5", md5(archive))
    data = tmp_path / "data"
    with pytest.raises(UserError) as caught:
        open_source(Source.of("cifar100", str(data), download=True))
    assert str(caught.value).startswith(f"--download: task cifar100 could not be fetched into {data} (")
    assert "\n" not in str(caught.value)
    assert list(data.iterdir()) == []


def test_without_a_network_fashion_mnist_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [NOBODY])
    with pytest.raises(UserError) as caught:
        open_source(Source.of("fashion_mnist", str(tmp_path), download=True))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    source = Source(name="cifar10", data=str(tmp_path / "file" / "data"), download=True)
    with pytest.raises(UserError, match=r"could not be fetched into .*Not a directory"):
        open_source(source)
