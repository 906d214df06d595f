"""The user's own images in every layout: one fingerprint, classes by name, a validation part, what is refused."""

import json
import shutil
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ban_ray.errors import UserError
from ban_ray.specs import Task
from ban_ray.tasks.catalog import TASK_TYPES
from ban_ray.tasks.image_data import load_images
from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.tasks.source import Source
from tests.conftest import CPU
from tests.helpers.image_files import (
    Pictures,
    encode,
    gray_pictures,
    open_images,
    random_pictures,
    write_cifar,
    write_images,
    write_part,
    write_shards,
    write_table,
)

CIFAR = Path(__file__).parents[3] / "shared" / "data" / "cifar100_dev"
NAMES = ("ant", "bee", "cat")
TRAIN, TEST, VALID = (random_pictures(count, classes=3, side=12, seed=count) for count in (30, 9, 6))


def shards(place: Path, **options: object) -> Path:
    return write_shards(place, {"train": TRAIN, "test": TEST}, **options)  # type: ignore[arg-type]


def single(place: Path, image: str) -> Path:
    place.mkdir(parents=True)
    for part, pictures in (("train", TRAIN), ("test", TEST)):
        write_part(place / f"{part}.parquet", pictures, image=image)
    return place


def plain_bytes(place: Path) -> Path:
    place.mkdir(parents=True)
    for part, pictures in (("train", TRAIN), ("test", TEST)):
        labels = pa.array([NAMES[label] for label in pictures.labels]).dictionary_encode()
        write_table(place / f"{part}.parquet", [encode(image) for image in pictures.images], labels, image="image")
    return place


def folders_of_files(place: Path) -> Path:
    for part, pictures in (("train", TRAIN), ("test", TEST)):
        for number in range(2):
            write_part_of(place / part / f"{number:04d}.parquet", pictures[number::2])
    return place


def write_part_of(file: Path, pictures: Pictures) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_part(file, pictures)


LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "img": partial(single, image="img"),
    "image": partial(single, image="image"),
    "bytes and categories": plain_bytes,
    "shards": shards,
    "five shards of named classes": partial(shards, shards=5, names=NAMES),
    "names for labels": partial(shards, names=NAMES, as_text=True, label="labels"),
    "in data": lambda place: shards(place / "data").parent,
    "in a configuration": lambda place: shards(place / "default", names=NAMES).parent,
    "folders of files": folders_of_files,
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("tree"), TRAIN, TEST, names=NAMES)


@pytest.fixture(scope="module")
def of_tree(cache: Path, tree: Path) -> ImageDataset:
    return own(tree)


def own(data: Path, **options: object) -> ImageDataset:
    return open_images(Source.of("folder", str(data), **options))  # type: ignore[arg-type]


def refused(data: Path, task: str = "folder", **options: object) -> str:
    with pytest.raises(UserError) as caught:
        open_images(Source.of(task, str(data), **options))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_of_the_same_pixels_is_one_data_set(
    tmp_path: Path, write: Callable[[Path], Path], of_tree: ImageDataset
) -> None:
    decoded = own(write(tmp_path / "set"))
    assert decoded.fingerprint == of_tree.fingerprint
    assert (decoded.num_classes, decoded.sample_shape, decoded.num_held_out) == (3, (12, 12, 3), 0)
    assert np.array_equal(decoded.train.labels, of_tree.train.labels)
    assert of_tree.class_names == NAMES


def test_named_classes_keep_their_numbers(tmp_path: Path, of_tree: ImageDataset) -> None:
    """A ClassLabel's order need not be sorted; labels that are names have no other order."""
    names = ("wasp", "ant", "bee")
    by_number, by_name = (own(shards(tmp_path / str(text), names=names, as_text=text)) for text in (False, True))
    assert by_number.fingerprint == of_tree.fingerprint
    assert by_name.class_names == ("ant", "bee", "wasp")
    assert by_name.fingerprint != by_number.fingerprint
    assert np.array_equal(np.sort(by_name.train.labels), np.sort((by_number.train.labels - 1) % 3))


def test_the_names_of_classes_are_kept(tmp_path: Path) -> None:
    pictures = {part: random_pictures(6, classes=3, side=9, seed=seed) for seed, part in enumerate(("train", "test"))}
    assert own(write_shards(tmp_path, pictures, names=NAMES)).class_names == NAMES


@pytest.mark.parametrize("metadata", [b"{", b"[]", b'{"info": {"features": {"label": 3}}}', b"\xff", b"[" * 100_000])
def test_metadata_of_other_programs_are_passed_over(tmp_path: Path, metadata: bytes, of_tree: ImageDataset) -> None:
    single(tmp_path / "set", "image")
    for file in (tmp_path / "set").iterdir():
        table = pq.read_table(file)
        pq.write_table(table.replace_schema_metadata({b"huggingface": metadata}), file)
    assert own(tmp_path / "set").fingerprint == of_tree.fingerprint


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
@pytest.mark.parametrize("layout", ["tree", "shards"])
def test_a_validation_part_is_what_is_held_out(tmp_path: Path, layout: str, name: str) -> None:
    if layout == "tree":
        write_images(tmp_path, TRAIN, TEST, names=NAMES, more={name: VALID})
    else:
        write_shards(tmp_path, {"train": TRAIN, "test": TEST, name: VALID})
    decoded = own(tmp_path)
    task = Task(name="folder", fingerprint=decoded.fingerprint)
    sizes = TASK_TYPES["folder"].sizes(task, decoded)
    assert (sizes.train, sizes.held_out, sizes.test) == (30, 6, 9)
    data = load_images(task, decoded, CPU)
    for part, pictures in ((data.train, TRAIN), (data.held_out, VALID), (data.test, TEST)):
        read = {(image.tobytes(), int(label)) for image, label in zip(part.images.numpy(), part.labels, strict=True)}
        assert read == {
            (image.tobytes(), int(label)) for image, label in zip(pictures.images, pictures.labels, strict=True)
        }
    everything = load_images(task.model_copy(update={"protocol": "paper"}), decoded, CPU)
    assert (len(everything.train), len(everything.held_out), len(everything.test)) == (36, 0, 9)
    noisy = load_images(task.model_copy(update={"label_noise": 1.0, "split_seed": 4}), decoded, CPU)
    assert noisy.held_out.labels.tolist() == data.held_out.labels.tolist()
    assert noisy.train.labels.tolist() != data.train.labels.tolist()


def test_a_validation_part_belongs_to_the_data(tmp_path: Path, of_tree: ImageDataset) -> None:
    by_tree = own(write_images(tmp_path / "tree", TRAIN, TEST, names=NAMES, more={"val": VALID}))
    by_parquet = own(write_shards(tmp_path / "parquet", {"train": TRAIN, "test": TEST, "validation": VALID}))
    assert by_tree.fingerprint == by_parquet.fingerprint
    assert by_tree.fingerprint != of_tree.fingerprint
    assert (
        by_tree.fingerprint
        != own(write_images(tmp_path / "two", TRAIN, VALID, names=NAMES, more={"val": TEST})).fingerprint
    )
    task = Task(name="folder", fingerprint=by_tree.fingerprint, split_seed=1)
    with pytest.raises(UserError, match="--split-seed 1 has no effect: the data have a validation part"):
        TASK_TYPES["folder"].sizes(task, by_tree)


def test_a_small_validation_part_may_lack_classes(tmp_path: Path) -> None:
    write_images(tmp_path, TRAIN, TEST, names=NAMES, more={"val": VALID[:1]})
    assert own(tmp_path).num_held_out == 1


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path, tree: Path, of_tree: ImageDataset) -> None:
    shutil.copytree(tree, tmp_path / "set")
    for place in ("", "train", "train/ant", "test/bee"):
        for hidden in (".ipynb_checkpoints", "__MACOSX"):
            (tmp_path / "set" / place / hidden).mkdir()
            (tmp_path / "set" / place / hidden / "0-checkpoint.png").write_bytes(encode(TRAIN.images[0]))
        (tmp_path / "set" / place / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
        (tmp_path / "set" / place / "._0.png").write_bytes(b"\0\5\x16\7")
        (tmp_path / "set" / place / "Thumbs.db").write_bytes(b"\xd0\xcf")
    assert own(tmp_path / "set").fingerprint == of_tree.fingerprint
    shards(tmp_path / "parquet")
    (tmp_path / "parquet" / "._train-00000-of-00002.parquet").write_bytes(b"\0\5\x16\7")
    assert own(tmp_path / "parquet").fingerprint == of_tree.fingerprint


def rewritten(file: Path, **columns: object) -> None:
    write_table(file, [encode(image) for image in TRAIN.images], image="image", **columns)  # type: ignore[arg-type]


def metadata(file: Path, names: list[str]) -> None:
    info = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    pq.write_table(pq.read_table(file).replace_schema_metadata({b"huggingface": json.dumps(info).encode()}), file)


def for_each(action: Callable[..., object], *values: Iterable[object]) -> None:
    for arguments in list(zip(*values, strict=True)):
        action(*arguments)


FIRST, SECOND, LAST = (f"{part}-of-00002.parquet" for part in ("train-00000", "train-00001", "test-00001"))
Spoil = Callable[[Path], object]
REFUSED: dict[str, tuple[Spoil, str]] = {
    "a shard is missing": (lambda data: (data / SECOND).unlink(), f"{SECOND} is missing; task folder needs train.parq"),
    "no test part": (
        lambda data: for_each(Path.unlink, data.glob("test-*")),
        "test.parquet is missing; task folder needs train.parquet and test.parquet, or their shards",
    ),
    "no training part": (lambda data: for_each(Path.unlink, data.glob("train-*")), "train.parquet is missing"),
    "two sets of shards": (
        lambda data: shutil.copy(data / FIRST, data / "train-00000-of-00003.parquet"),
        "train-00000-of-00003.parquet, which are shards of two sets; one set is allowed",
    ),
    "two validation parts": (
        lambda data: [shutil.copy(data / FIRST, data / f"{name}.parquet") for name in ("val", "valid")],
        "has valid and val; one validation part is allowed",
    ),
    "a number that training lacks": (
        lambda data: rewritten(data / LAST, labels=[0] * 29 + [3]),
        "labels of column 'label' run from 0 to 3; allowed are 0 to 2",
    ),
    "names and numbers": (
        lambda data: rewritten(data / LAST, labels=["ant"] * 30),
        "labels are names in one of",
    ),
    "other names": (
        lambda data: for_each(metadata, (data / FIRST, data / LAST), (list(NAMES), ["bee", "ant", "cat"])),
        "has other names of classes, or another order of them, than",
    ),
    "more names than classes": (
        lambda data: metadata(data / FIRST, [*NAMES, "dog"]),
        "has no image for class 'dog'; every class needs one in training",
    ),
    "an empty class": (
        lambda data: for_each(partial(rewritten, labels=[0, 4] * 15), (data / FIRST, data / SECOND)),
        "has no image for classes 1, 2, 3; every class",
    ),
    "one class": (
        lambda data: for_each(partial(rewritten, labels=[0] * 30), data.iterdir()),
        "has 1 class; at least two are needed",
    ),
}


@pytest.mark.parametrize(("spoil", "said"), REFUSED.values(), ids=REFUSED)
def test_bad_parquet_is_one_sentence(tmp_path: Path, spoil: Spoil, said: str) -> None:
    spoil(shards(tmp_path))
    sentence = refused(tmp_path)
    assert said in sentence
    assert str(tmp_path) in sentence


def test_a_name_that_training_lacks(tmp_path: Path) -> None:
    shards(tmp_path, names=NAMES, as_text=True)
    rewritten(tmp_path / LAST, labels=["ant"] * 29 + ["elk"])
    assert f"{tmp_path / LAST} has images of class 'elk', which the training part lacks" in refused(tmp_path)


def test_of_two_configurations_one_must_be_named(tmp_path: Path, of_tree: ImageDataset) -> None:
    for name in ("full", "cropped"):
        shards(tmp_path / name)
    assert "holds Parquet files in cropped, full; --data must name one of these folders" in refused(tmp_path)
    assert own(tmp_path / "full").fingerprint == of_tree.fingerprint


def test_a_tree_comes_before_parquet_beside_it(tmp_path: Path, tree: Path, of_tree: ImageDataset) -> None:
    shutil.copytree(tree, tmp_path / "set")
    write_part(tmp_path / "set" / "train.parquet", VALID)
    write_part(tmp_path / "set" / "test.parquet", VALID)
    assert own(tmp_path / "set").fingerprint == of_tree.fingerprint


def test_other_sets_beside_a_known_layout_are_not_looked_at(tmp_path: Path) -> None:
    """Among them are sub-folders with Parquet files, of which a task without files would take one."""
    pictures = random_pictures(12)
    write_cifar(tmp_path, "cifar10", pictures, pictures)
    for name in ("one", "another"):
        shards(tmp_path / name)
    assert len(open_images(Source.of("cifar10", str(tmp_path))).train.labels) == 12
    shutil.rmtree(tmp_path / "cifar-10-batches-py")
    assert "holds Parquet files in another, one; --data must" in refused(tmp_path, "cifar10")
    shutil.rmtree(tmp_path / "one")
    assert "another/train-00000-of-00002.parquet: label column 'label' is of 3 classes" in refused(tmp_path, "cifar10")
    layouts = TASK_TYPES["cifar10"].layouts(Source.of("cifar10", str(tmp_path), download=True))
    assert all(layout.missing() for layout in layouts), "it is downloaded"


def test_a_folder_with_nothing_says_what_is_needed(tmp_path: Path) -> None:
    sentence = refused(tmp_path)
    assert "has no folder train; train and test are needed, with a folder for each class, or Parquet files" in sentence


def test_an_option_that_the_layout_does_not_use(tmp_path: Path, tree: Path) -> None:
    assert f"--label-column 'label' has no effect: {tree} has images" in refused(tree, label_column="label")


@pytest.mark.parametrize("names", [(), tuple("abcde")])
def test_five_classes_are_not_cifar10(tmp_path: Path, names: tuple[str, ...]) -> None:
    parts = {part: random_pictures(50, classes=5, seed=seed) for seed, part in enumerate(("train", "test"))}
    write_shards(tmp_path / "parquet", parts, names=names)
    said = "is of 5 classes; 10 are needed, and --task folder takes any number"
    assert said in refused(tmp_path / "parquet", "cifar10")
    write_images(tmp_path / "tree", parts["train"], parts["test"], names=tuple("abcde"))
    assert "train has folders for 5 classes; 10 are needed" in refused(tmp_path / "tree", "cifar10")
    assert own(tmp_path / "parquet").fingerprint == own(tmp_path / "tree").fingerprint


def test_images_of_another_shape_are_not_the_tasks(tmp_path: Path) -> None:
    small = {part: random_pictures(40, side=28, seed=seed) for seed, part in enumerate(("train", "test"))}
    write_shards(tmp_path / "small", small)
    assert "the image in row 0 is 28x28; 32x32 is needed" in refused(tmp_path / "small", "cifar10", skip_bad=True)
    assert "the image in row 0 has colours; gray is needed" in refused(tmp_path / "small", "fashion_mnist")
    gray = {part: gray_pictures(40, seed) for seed, part in enumerate(("train", "test"))}
    decoded = open_images(Source.of("fashion_mnist", str(write_shards(tmp_path / "gray", gray))))
    assert decoded.sample_shape == (28, 28, 1)


@pytest.mark.skipif(not CIFAR.is_dir(), reason="CIFAR-100 images are not at hand")
def test_cifar100_as_the_users_own_images(tmp_path: Path) -> None:
    """Read by name and as a folder; the coarse labels are twenty named classes."""
    by_name, as_own = (open_images(Source.of(task, str(CIFAR))) for task in ("cifar100", "folder"))
    assert by_name.fingerprint == as_own.fingerprint
    assert as_own.class_names[:2] == ("apple", "aquarium_fish")
    assert own(CIFAR, label_column="coarse_label").num_classes == 20
    assert "label column 'coarse_label' is of 20 classes" in refused(CIFAR, "cifar10", label_column="coarse_label")
