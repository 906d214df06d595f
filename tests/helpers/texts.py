"""Small texts, and generations that learn them."""

import itertools
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from ban_ray.specs import Generation, Objective, Recipe, Task
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.readers.text import PENN_TREEBANK_TOKENS
from ban_ray.tasks.source import Source
from ban_ray.tasks.text_data import TextData, load_text
from ban_ray.tasks.text_dataset import TextDataset

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "its", "dog", "run", "by"]


def write(folder: Path, train: str, valid: str, test: str) -> Path:
    """A folder of task `text`."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, text in (("train", train), ("valid", valid), ("test", test)):
        (folder / f"{part}.txt").write_text(text, encoding="utf-8")
    return folder


def babble(lines: int, seed: int) -> str:
    """Lines in which every word depends on the one before it."""
    chance = random.Random(seed)
    text = []
    for _ in range(lines):
        place = chance.randrange(len(WORDS))
        words = []
        for _ in range(chance.randrange(3, 12)):
            words.append(WORDS[place % len(WORDS)])
            place += chance.choice((1, 1, 1, 2, 5))
        text.append(" ".join(words))
    return "\n".join(text) + "\n"


def write_penn_treebank(folder: Path, tokens: Sequence[int] = PENN_TREEBANK_TOKENS, types: int = 10_000) -> Source:
    """Files of Mikolov's names with that many tokens, lines of 20 of them, and types in the first."""
    folder.mkdir(exist_ok=True)
    for part, count in zip(("train", "valid", "test"), tokens, strict=True):
        words = itertools.cycle([f"w{number}" for number in range(types - 2)] + ["<unk>"])
        # An end of a line is a token too.
        lines = [" ".join(itertools.islice(words, min(20, rest) - 1)) for rest in range(count, 0, -20)]
        (folder / f"ptb.{part}.txt").write_text("\n".join(lines) + "\n")
    return Source.of("ptb", str(folder))


@pytest.fixture(scope="session")
def text_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("text") / "babble", babble(200, 1), babble(40, 2), babble(41, 3))


def corpus_of(folder: Path, tokens: str = "word") -> TextDataset:
    corpus = open_source(Source.of("text", str(folder), tokens=tokens))
    assert isinstance(corpus, TextDataset)
    return corpus


def text_task(corpus: TextDataset, tokens: Any = "word") -> Task:
    return Task(name="text", fingerprint=corpus.fingerprint, tokens=tokens)


@pytest.fixture(scope="session")
def text_data(cache: Path, text_folder: Path) -> TextData:
    corpus = corpus_of(text_folder)
    return load_text(text_task(corpus), corpus, torch.device("cpu"))


MakeText = Callable[..., Generation]


@pytest.fixture(scope="session")
def make_text(text_data: TextData) -> MakeText:
    """A tiny generation: fields of the recipe and of the generation by name."""

    def make(objective: str = "label", **fields: Any) -> Generation:
        recipe = {
            "epochs": 2,
            "batch_size": 6,
            "learning_rate": 0.5,
            "learning_rate_drops": (),
            "learning_rate_factor": 0.5,
            "momentum": 0,
            "weight_decay": 0,
            "unroll": 7,
            "clip": 5,
            "plateau": 0,
        }
        recipe |= {name: fields.pop(name) for name in list(fields) if name in Recipe.model_fields}
        return Generation.model_validate(
            {
                "task": text_task(text_data.corpus),
                "network": "lstm-2-12-d0.2",
                "recipe": Recipe.model_validate(recipe),
                "objective": Objective.parse(objective),
                "seed": 1,
                "teachers": () if objective.startswith("label") else ("1" * 64,),
                **fields,
            }
        )

    return make
