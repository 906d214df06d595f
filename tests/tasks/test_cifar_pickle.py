"""torchvision's CIFAR files: nothing in a pickle is run, and what does not fit is one sentence."""

import contextlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ban_ray.errors import UserError
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.readers import safe_pickle
from ban_ray.tasks.source import Source
from tests.helpers.image_files import python2, python3, random_pictures, rows, write_cifar

PICTURES = random_pictures(12)
DATA = rows(PICTURES.images)
LABELS = PICTURES.labels.tolist()


class Runs:
    """What an attacker writes: a call of anything, made when the file is read."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


HOSTILE: dict[str, Callable[[str], bytes]] = {
    "os.system": lambda target: pickle.dumps(Runs(os.system, f"touch {target}")),
    "exec": lambda target: pickle.dumps(Runs(exec, f"open({target!r}, 'w')")),
    "open": lambda target: pickle.dumps({"data": Runs(open, target, "w")}, 2),
    "protocol 0": lambda target: f"cos\nsystem\n(S'touch {target}'\ntR.".encode(),
    "INST": lambda target: f"(S'touch {target}'\nios\nsystem\n.".encode(),
    "OBJ": lambda target: f"(cos\nsystem\nS'touch {target}'\no.".encode(),
    "a dotted name": lambda target: f"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93(\x8c\x01{'x'}tR.".encode(
        "latin1"
    ),
    "another codec": lambda target: b"c_codecs\nencode\n(S'x'\nS'zlib'\ntR.",
    "numpy's other functions": lambda target: b"cnumpy\nload\n(S'x'\ntR.",
    "numpy's loader by another module": lambda target: b"cnumpy.core.multiarray\nfromfile\n(S'/etc/passwd'\ntR.",
    "persistent": lambda target: b"Pos.system\n.",
    "extension": lambda target: b"\x80\x02\x82\x01.",
    "attributes of a class": lambda target: b"cnumpy\nndarray\n(}(S'array'\nNu}(S'array'\nNutb.",
    "attributes of an array": lambda target: b"cnumpy\nndarray\n)R}(S'array'\nNub0cos\nsystem\n.",
    "memory": lambda target: b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "nothing": lambda target: b"",
    "text": lambda target: b"hello, this is no pickle",
    "truncated": lambda target: python2(DATA, {"labels": LABELS})[:-100],
}


@pytest.mark.parametrize("attack", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_run_nothing(tmp_path: Path, attack: Callable[[str], bytes]) -> None:
    write_cifar(tmp_path, "cifar100", PICTURES, PICTURES)
    file, target = tmp_path / "cifar-100-python" / "test", tmp_path / "owned"
    file.write_bytes(attack(str(target)))
    with pytest.raises(UserError) as caught:
        open_source(Source.of("cifar100", str(tmp_path)))
    assert not target.exists()
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_attacks_work_on_an_ordinary_unpickler(tmp_path: Path) -> None:
    for number, name in enumerate(("os.system", "exec", "protocol 0", "INST", "OBJ")):
        target = tmp_path / str(number)
        pickle.loads(HOSTILE[name](str(target)))
        assert target.exists(), name


def test_no_pickle_changes_the_reader(tmp_path: Path) -> None:
    """After all attacks an honest file still reads as it should."""
    file = tmp_path / "file"
    for attack in HOSTILE.values():
        file.write_bytes(attack(str(tmp_path / "owned")))
        with contextlib.suppress(UserError):
            safe_pickle.load(file)
    file.write_bytes(python2(DATA, {"labels": LABELS}))
    value = safe_pickle.load(file)
    assert isinstance(value, dict)
    assert np.array_equal(value["data"].array(), DATA)


@given(st.binary(max_size=60), st.integers(0, 5))
def test_random_opcodes_never_end_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, protocol: int
) -> None:
    # r and LONG4 would let a few bytes ask for gigabytes, which is slow but harmless.
    file = tmp_path_factory.getbasetemp() / "random.pickle"
    file.write_bytes(b"\x80" + bytes([protocol]) + content.replace(b"r", b"q").replace(b"\x8b", b"K"))
    try:
        safe_pickle.load(file)
    except UserError as error:
        assert str(error).startswith(str(file))


BAD: dict[str, tuple[bytes, str]] = {
    "a list": (pickle.dumps([1, 2]), "holds a list; a dictionary with 'data'"),
    "no labels": (python3(DATA, {}), "has no 'fine_labels' or 'labels'; its keys are data"),
    "no pixels": (pickle.dumps({"labels": LABELS}), "has no 'data'; its keys are labels"),
    "pixels as text": (pickle.dumps({"labels": LABELS, "data": "abc"}), "'data' is str; an array of bytes"),
    "pixels as floats": (
        python3(DATA.astype(np.float32), {"labels": LABELS}),
        "'data' is BytesArray; an array of bytes",
    ),
    "objects": (python3(DATA[:, :2].astype(object), {"labels": LABELS}), "an array of bytes"),
    "another size": (python3(DATA[:, :300], {"labels": LABELS}), "'data' is 12x300; an array of bytes with 3072"),
    "three axes": (python3(DATA.reshape(12, 3, 1024), {"labels": LABELS}), "'data' is 12x3x1024"),
    "fewer labels": (python3(DATA, {"labels": LABELS[:-1]}), "12 images but 11 labels under 'labels'"),
    "label too large": (python3(DATA, {"labels": [*LABELS[:-1], 10]}), "'labels' holds 10; allowed are 0 to 9"),
    "label too small": (python3(DATA, {"labels": [*LABELS[:-1], -1]}), "'labels' holds -1; allowed are 0 to 9"),
    "label as text": (python3(DATA, {"labels": [*LABELS[:-1], "1"]}), "'labels' must be a list of whole numbers"),
    "labels as an array": (python3(DATA, {"labels": PICTURES.labels}), "'labels' must be a list of whole numbers"),
    "no images": (python3(DATA[:0], {"labels": []}), "holds no images in test_batch"),
}


@pytest.mark.parametrize(("content", "said"), BAD.values(), ids=BAD)
def test_a_bad_file_is_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    write_cifar(tmp_path, "cifar10", PICTURES, PICTURES)
    file = tmp_path / "cifar-10-batches-py" / "test_batch"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        open_source(Source.of("cifar10", str(tmp_path)))
    assert str(file.parent) in str(caught.value)
    assert said in str(caught.value)


def test_pixels_that_are_no_latin1(tmp_path: Path) -> None:
    content = python2(DATA, {"labels": LABELS}).replace(
        b"T" + len(DATA.tobytes()).to_bytes(4, "little"), b"X\x04\0\0\0"
    )
    (tmp_path / "file").write_bytes(content[: content.index(b"X\x04\0\0\0")] + "X\x04\0\0\0a\u20ac".encode() + b"tbu.")
    value = safe_pickle.load(tmp_path / "file")
    assert isinstance(value, dict)
    assert value["data"].array() is None


def test_a_key_chosen_by_name_is_missing(tmp_path: Path) -> None:
    write_cifar(tmp_path, "cifar100", PICTURES, PICTURES)
    with pytest.raises(UserError, match="has no 'coarse'; its keys are batch_label, fine_labels, data"):
        open_source(Source.of("cifar100", str(tmp_path), "coarse"))
