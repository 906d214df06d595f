"""Texts read from files; what is no text is one sentence with the value."""

import itertools
from pathlib import Path

import pytest

from ban_ray.errors import UserError
from ban_ray.tasks.catalog import TASK_TYPES
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.readers.text import PENN_TREEBANK_TOKENS
from ban_ray.tasks.source import Source
from ban_ray.tasks.text_dataset import LONGEST, TextDataset
from tests.helpers.texts import corpus_of, text_task, write, write_penn_treebank


def told(corpus: TextDataset, part: str) -> list[str]:
    return [corpus.vocabulary[token] for token in getattr(corpus, part)]


def test_words_of_a_text(tmp_path: Path) -> None:
    """Ends of lines, empty lines, any white space, unknown words; the vocabulary is the training text's."""
    corpus = corpus_of(write(tmp_path, "the cat\n\n  the\tdog \n", "the bird\n", "a cat"))
    assert told(corpus, "train") == ["the", "cat", "<eos>", "<eos>", "the", "dog", "<eos>"]
    assert told(corpus, "valid") == ["the", "<unk>", "<eos>"]
    assert told(corpus, "test") == ["<unk>", "cat", "<eos>"]
    assert corpus.vocabulary == ("<eos>", "the", "cat", "dog", "<unk>")


def test_an_unknown_word_that_is_written_out_is_the_same(tmp_path: Path) -> None:
    """As in Mikolov's files."""
    corpus = corpus_of(write(tmp_path, "a <unk> a\n", "b\n", "a\n"))
    assert corpus.vocabulary == ("a", "<eos>", "<unk>")
    assert told(corpus, "valid") == ["<unk>", "<eos>"]


def test_line_ends_of_other_systems_and_odd_characters(tmp_path: Path) -> None:
    """Form feeds and Unicode's own line separators are no ends of lines."""
    one = corpus_of(write(tmp_path / "one", "a b\nc\n", "a\n", "b\n"), "char")
    (tmp_path / "two").mkdir()
    for part in ("train", "valid", "test"):
        data = (tmp_path / "one" / f"{part}.txt").read_bytes()
        (tmp_path / "two" / f"{part}.txt").write_bytes(data.replace(b"\n", b"\r\n"))
    assert corpus_of(tmp_path / "two", "char").fingerprint == one.fingerprint
    odd = corpus_of(write(tmp_path / "odd", "a\x0cb\u2028c\n", "a\n", "a\n"), "char")
    assert told(odd, "train") == ["a", "\x0c", "b", "\u2028", "c", "<eos>"]


def test_the_fingerprint_is_of_what_is_said(tmp_path: Path) -> None:
    texts = {
        "one": ("a b\n", "a\n", "b\n"),
        "other test": ("a b\n", "a\n", "a\n"),
        "parts exchanged": ("a b\n", "b\n", "a\n"),
        "one line more": ("a b\n", "a\n\n", "b\n"),
        "other words": ("a c\n", "a\n", "c\n"),
    }
    found = {name: corpus_of(write(tmp_path / name, *text)).fingerprint for name, text in texts.items()}
    assert len(set(found.values())) == len(found)
    assert corpus_of(write(tmp_path / "again", "a  b", "a", "b")).fingerprint == found["one"]
    assert corpus_of(write(tmp_path / "letters", "ab\n", "a\n", "b\n"), "char").vocabulary == (
        "<eos>",
        "a",
        "b",
        "<unk>",
    )


def test_how_words_are_spelled(tmp_path: Path) -> None:
    """Begin, letters, end; special tokens are one symbol; a word that is too long is cut."""
    corpus = corpus_of(write(tmp_path, f"ab b {'a' * 100}\n", "a\n", "b\n"))
    table = dict(zip(corpus.vocabulary, corpus.spellings().tolist(), strict=True))
    a, b = corpus.symbols["a"], corpus.symbols["b"]
    assert table["ab"][:5] == [1, a, b, 2, 0]
    assert table["<eos>"][:4] == [1, corpus.symbols["<eos>"], 2, 0]
    assert table["a" * 100] == [1, *[a] * (LONGEST - 2), 2]
    assert corpus.in_channels == len({0, 1, 2, a, b, corpus.symbols["<eos>"], corpus.symbols["<unk>"]})
    assert max(map(max, table.values())) < corpus.in_channels


BAD = {
    "missing": (None, "{folder}/valid.txt is missing; task text needs train.txt and valid.txt and test.txt"),
    "empty": (b"", "{folder}/valid.txt has no words; at least one is needed"),
    "white": (b" \n\n \t\n", "{folder}/valid.txt has no words; at least one is needed"),
    "latin": ("vall\u00e9e".encode("latin-1"), "{folder}/valid.txt is not in UTF-8, which is needed: byte 4 is 0xe9"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_is_no_text(tmp_path: Path, case: str) -> None:
    data, sentence = BAD[case]
    folder = write(tmp_path / "text", "a b\n", "a\n", "b\n")
    (folder / "valid.txt").unlink()
    if data is not None:
        (folder / "valid.txt").write_bytes(data)
    with pytest.raises(UserError) as raised:
        corpus_of(folder)
    assert str(raised.value) == sentence.format(folder=folder)


def test_a_folder_without_any_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no files of task text, which needs train.txt"):
        corpus_of(tmp_path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "text"}, "task text needs --data DIR"),
        ({"name": "digits", "tokens": "char"}, "--tokens 'char' has no effect: task digits is scikit-learn's"),
        ({"name": "ptb", "data": ".", "tokens": "char"}, "--tokens 'char' has no effect: task ptb is Mikolov's"),
        ({"name": "python_docs", "data": "."}, "--data '.' has no effect: task python_docs is embedded"),
        ({"name": "text", "data": ".", "tokens": "byte"}, "--tokens 'byte' is unknown; word and char are allowed"),
        ({"name": "text", "data": ".", "image_size": "8"}, "--image-size '8' has no effect: task text"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, str], sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        Source.of(**options)  # type: ignore[arg-type]
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize(("field", "value"), [("label_noise", 0.3), ("split_seed", 4)])
def test_what_a_text_has_no_use_for(text_folder: Path, field: str, value: float) -> None:
    corpus = corpus_of(text_folder)
    task = text_task(corpus).model_copy(update={field: value})
    with pytest.raises(UserError, match=rf"--{field.replace('_', '-')} {value:g} has no effect: task text"):
        TASK_TYPES["text"].sizes(task, corpus)


@pytest.mark.parametrize("flip", [True, False])
def test_text_is_not_mirrored(tmp_path: Path, flip: bool) -> None:
    corpus = corpus_of(write(tmp_path, "the cat", "the bird", "a cat"))
    task = text_task(corpus).model_copy(update={"flip": flip})
    with pytest.raises(UserError, match=r"^--(no-)?flip has no effect: task text has no images$"):
        TASK_TYPES["text"].sizes(task, corpus)
    assert TASK_TYPES["text"].augmentation(text_task(corpus), corpus) == "none"


def test_mikolovs_counts(tmp_path: Path) -> None:
    """Tokens and types with ends of lines; one more or less of anything is another data set."""
    corpus = open_source(write_penn_treebank(tmp_path / "right"))
    assert isinstance(corpus, TextDataset)
    assert corpus.num_classes == 10_000
    assert (len(corpus.train), len(corpus.valid), len(corpus.test)) == (929_589, 73_760, 82_430)
    for part in range(3):
        wrong = tuple(count + (place == part) for place, count in enumerate(PENN_TREEBANK_TOKENS))
        with pytest.raises(UserError, match=rf"has {wrong[part]:,} tokens .* has {PENN_TREEBANK_TOKENS[part]:,}$"):
            open_source(write_penn_treebank(tmp_path / "tokens", wrong, 10_000))
    with pytest.raises(UserError, match=r"has 9,999 types of tokens; Mikolov's Penn Treebank has 10,000"):
        open_source(write_penn_treebank(tmp_path / "types", PENN_TREEBANK_TOKENS, 9_999))


@pytest.mark.parametrize("tokens", ["word", "char"])
def test_the_embedded_text(tokens: str) -> None:
    """Tens of thousands of words, the same each time, no line of one part in another."""
    corpus = open_source(Source.of("python_docs", tokens=tokens))
    assert isinstance(corpus, TextDataset)
    total = len(corpus.train) + len(corpus.valid) + len(corpus.test)
    assert total > (50_000 if tokens == "word" else 200_000)
    for part, share in (("train", 0.8), ("valid", 0.1), ("test", 0.1)):
        assert len(getattr(corpus, part)) / total == pytest.approx(share, abs=0.03)
    lines = [set(" ".join(told(corpus, part)).split("<eos>")) for part in ("train", "valid", "test")]
    shared = [line for one, other in itertools.combinations(lines, 2) for line in one & other]
    # With rare words as unknown, a few short lines come out alike.
    assert sum(map(len, shared)) < 0.02 * sum(len(line) for part in lines for line in part)
