"""Sources: options that a task does not use, folders, and files that a folder lacks."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ban_ray.errors import UserError
from ban_ray.tasks.catalog import TASK_TYPES
from ban_ray.tasks.source import Source
from tests.helpers.image_files import gray_pictures, open_images, random_pictures, write_cifar, write_folder, write_idx

PICTURES = random_pictures(12)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("folder", {}, "task folder needs --data DIR"),
        ("folder", {"data": ".", "image_size": "7"}, "--image-size '7': sides from 8 to 1024"),
        ("folder", {"data": ".", "image_size": "32x7"}, "--image-size '32x7': sides from 8"),
        ("folder", {"data": ".", "image_size": (2000, 8)}, "--image-size '2000x8': sides from 8 to 1024"),
        ("folder", {"data": ".", "image_size": "32,32"}, "--image-size '32,32' is no size"),
        ("folder", {"data": ".", "image_size": "-32"}, "--image-size '-32' is no size"),
        ("folder", {"data": ".", "image_size": ""}, "--image-size '' is no size"),
        ("folder", {"data": ".", "image_size": "٣٢"}, "is no size"),
        ("folder", {"data": ".", "image_size": "32", "download": True}, "--download has no effect: task folder"),
        ("folder", {"data": ".", "tokens": "word"}, "--tokens 'word' has no effect"),
        ("digits", {"skip_bad": True}, "--skip-bad has no effect: task digits is scikit-learn's"),
        ("text", {"data": ".", "skip_bad": True}, "--skip-bad has no effect: task text is your own text"),
        ("digits", {"image_size": "8"}, "--image-size '8' has no effect: task digits is scikit-learn's"),
        ("digits", {"download": True}, "--download has no effect: task digits is scikit-learn's"),
        ("cifar10", {"data": ".", "image_size": "32"}, "--image-size '32' has no effect: task cifar10"),
        ("cifar10", {"download": True}, "--download needs --data DIR"),
        ("fashion_mnist", {"download": True}, "--download needs --data DIR"),
        ("fashion_mnist", {"data": ".", "image_size": "28"}, "--image-size '28' has no effect"),
        ("fashion_mnist", {"data": "/no/such"}, "'/no/such' is not a folder"),
        ("cifar10", {"data": ""}, "--data '' is not a folder"),
        ("cifar10", {"data": "a" * 5000}, "(File name too long)"),
        ("cifar10", {"data": "~nobody-of-this-name/x"}, "cannot be used as a folder"),
        ("cifar10", {"data": "\0"}, "is not a folder"),
        ("cifar10", {"data": "/etc/passwd", "download": True}, "'/etc/passwd' is not a folder"),
        ("cifar10", {"data": "/etc/passwd/x"}, "is not a folder"),
        ("cifar10", {"data": "\udc80"}, "is not in UTF-8"),
        ("cifar10", {"data": ".", "label_column": "\udc80"}, "is not in UTF-8"),
    ],
)
def test_options_that_cannot_be_used(name: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as caught:
        Source.of(name, **options)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_debians_package_fashion_mnist_needs_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_dir", lambda _: False)
    with pytest.raises(UserError, match=r"needs --data DIR .*; /usr/share/datasets/fashion-mnist does not exist"):
        Source.of("fashion_mnist")


@given(
    st.sampled_from([*TASK_TYPES, "nonsense", ""]),
    st.none() | st.text(max_size=8) | st.just("."),
    st.none() | st.text(max_size=8),
    st.none() | st.text(max_size=8) | st.sampled_from(["32", "8x1024"]),
    st.booleans(),
)
def test_any_options_are_a_source_or_one_sentence(
    name: str, data: str | None, column: str | None, size: str | None, download: bool
) -> None:
    try:
        source = Source.of(name, data, column, size, download)
    except UserError as error:
        assert str(error)
        return
    assert Source.model_validate_json(source.to_json()) == source
    assert Source.model_validate_json(source.model_dump_json()) == source


def test_a_source_of_old_reads_as_before() -> None:
    assert Source.model_validate_json('{"name":"digits"}') == Source.of("digits")
    assert Source(name="cifar10", data="/a").to_json() == '{"data":"/a","name":"cifar10"}'


def test_sizes_in_every_form() -> None:
    for size in ("48x64", (48, 64)):
        assert Source.of("folder", ".", image_size=size).image_size == (48, 64)
    for square in ("32", 32, (32, 32)):
        assert Source.of("folder", ".", image_size=square).image_size == (32, 32)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("cifar10", "Hugging Face, in it or in data; or data_batch_1, data_batch_2, data_batch_3, data_batch_4"),
        ("cifar100", "Hugging Face, in it or in data; or train, test as in torchvision's cifar-100-python"),
        ("fashion_mnist", "needs train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte"),
    ],
)
def test_a_folder_in_which_nothing_fits(tmp_path: Path, task: str, said: str) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(UserError) as caught:
        open_images(Source.of(task, str(tmp_path)))
    assert f"--data '{tmp_path}' holds no files of task {task}" in str(caught.value)
    assert said in str(caught.value)


def test_a_file_that_a_layout_lacks_is_named(tmp_path: Path) -> None:
    batches = write_cifar(tmp_path / "a", "cifar10", PICTURES, PICTURES) / "cifar-10-batches-py"
    (batches / "data_batch_3").unlink()
    with pytest.raises(UserError, match="cifar-10-batches-py/data_batch_3 is missing; task cifar10 needs data_batch_1"):
        open_images(Source.of("cifar10", str(tmp_path / "a"), download=True))
    write_idx(tmp_path / "b", gray_pictures(12, 1), gray_pictures(12, 1), packed=True)
    (tmp_path / "b" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UserError, match=r"b/t10k-labels-idx1-ubyte is missing; task fashion_mnist needs"):
        open_images(Source.of("fashion_mnist", str(tmp_path / "b")))


@pytest.mark.parametrize("task", ["cifar10", "cifar100", "fashion_mnist"])
def test_a_folder_that_may_not_be_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str) -> None:
    source = Source.of(task, str(tmp_path))

    def is_file(file: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(file))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_file", is_file)
        with pytest.raises(UserError, match=r"cannot be read \(Permission denied\)$"):
            open_images(source)


def test_parquet_comes_first(tmp_path: Path) -> None:
    write_folder(tmp_path, PICTURES, PICTURES)
    write_cifar(tmp_path, "cifar10", PICTURES[:5], PICTURES)
    assert len(open_images(Source.of("cifar10", str(tmp_path))).train.labels) == 12


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("ban_ray.tasks.source", ("numpy", "torch", "torchvision", "PIL", "pyarrow", "sklearn")),
        ("ban_ray.search.__main__", ("numpy", "torch", "torchvision", "PIL", "pyarrow", "sklearn")),
        ("ban_ray.tasks.opening, ban_ray.tasks.batches", ("torch", "torchvision", "PIL", "pyarrow", "sklearn")),
    ],
)
def test_the_catalogue_is_cheap_to_import(modules: str, heavy: tuple[str, ...]) -> None:
    script = f"import sys, {modules}; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
