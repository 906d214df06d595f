"""Opening a storage by its path or URL: what cannot be used is one sentence."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ban_ray.errors import UserError
from ban_ray.storage.base import Storage
from ban_ray.storage.opening import absolute, find_storage, open_storage
from tests.helpers.s3_server import ForgetsConditions, make_bucket, serve


@pytest.mark.parametrize("opened", [open_storage, find_storage])
def test_a_file_is_not_a_folder(tmp_path: Path, opened: Callable[[str], Storage]) -> None:
    file = tmp_path / "file"
    file.touch()
    for url in (str(file), f"file://{file}"):
        with pytest.raises(UserError) as caught:
            opened(url)
        assert str(caught.value) == f"--storage {url!r} is a file; a folder is needed"


def test_a_folder_below_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^--storage .* cannot be written: Not a directory$"):
        open_storage(str(tmp_path / "file" / "storage"))


def test_a_file_system_without_hard_links_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", unsupported)
    with pytest.raises(UserError, match="cannot be written: Operation not supported"):
        open_storage(str(tmp_path / "storage"))


def test_opening_leaves_nothing_behind(tmp_path: Path) -> None:
    open_storage(str(tmp_path / "storage"))
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_bucket_that_is_not_there(s3: str) -> None:
    for opened in (open_storage, find_storage):
        with pytest.raises(UserError, match="the bucket does not exist; make it first") as caught:
            opened("s3://no-such-bucket/folder")
        assert "\n" not in str(caught.value)


def test_no_credentials(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    # Where a machine of Amazon's would be asked for its role.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="AWS_ACCESS_KEY_ID is not set") as caught:
        open_storage(s3)
    assert "\n" not in str(caught.value)


def test_a_server_that_does_not_answer(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"cannot be written: .*127\.0\.0\.1:9") as caught:
        open_storage(s3)
    assert "\n" not in str(caught.value)


def test_a_server_without_conditional_writes_is_refused(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(ForgetsConditions) as old:
        monkeypatch.setenv("AWS_ENDPOINT_URL", old)
        make_bucket(old, "forgetful")
        with pytest.raises(UserError, match="conditional writes"):
            open_storage("s3://forgetful/x")


@pytest.mark.parametrize("url", ["ftp://x/y", "memory://", "http://127.0.0.1/x", "s3://", "az://container/x"])
def test_what_cannot_be_opened(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(UserError) as caught:
        open_storage(url)
    assert url in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_of_storages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("runs") == str(tmp_path / "runs")
    assert absolute("s3://bucket/x") == "s3://bucket/x"
    assert open_storage(f"file://{tmp_path}/here").url == str(tmp_path / "here")
