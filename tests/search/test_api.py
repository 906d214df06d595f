"""A chain as a call: a table of generations, of images and of text."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ban_ray.population import Population, open_storage
from ban_ray.search import api
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.search import SearchResult
from tests.helpers.fabricated_population import Fabricator
from tests.search.conftest import environment  # noqa: F401

CALLS = """
import json
from ban_ray.search.api import train_chain

images = train_chain("densenet-bc-10-4", generations=1, seeds=[0], epochs=2, storage="runs")
text = train_chain("lstm-1-8", task="text", data="words", tokens="char", generations=0, seeds=[0], epochs=1,
                   batch_size=4, objective="ban+l", storage="runs")
print(json.dumps([images.to_dict("records"), text.to_dict("records")]))
"""


def call(folder: Path, environment: dict[str, str], code: str) -> "subprocess.CompletedProcess[str]":  # noqa: F811
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.ray
def test_rows_are_the_members(tmp_path: Path, environment: dict[str, str]) -> None:  # noqa: F811
    (tmp_path / "words").mkdir()
    for part, lines in (("train", 60), ("valid", 20), ("test", 20)):
        (tmp_path / "words" / f"{part}.txt").write_text("to be or not to be\n" * lines)
    done = call(tmp_path, environment, CALLS)
    assert done.returncode == 0, done.stderr
    images, text = json.loads(done.stdout.splitlines()[-1])
    population = Population(open_storage(str(tmp_path / "runs")))
    for row in images:
        member = population[row["key"]]
        assert (row["seed"], row["network"], row["parameters"]) == (0, "densenet-bc-10-4", member.parameters)
        assert row["test_error"] == member.metrics.test_error
        assert row["held_out_error"] == member.metrics.held_out_error
        assert row["seconds"] == member.provenance["seconds"]
    assert [row["generation"] for row in images] == [0, 1]
    assert [row["objective"] for row in images] == ["label", "ban+l"]
    assert images[0]["test_gain"] == 0
    assert images[1]["test_gain"] == pytest.approx(images[1]["test_error"] - images[0]["test_error"])
    (row,) = text
    member = population[row["key"]]
    assert row["test_bits_per_character"] == pytest.approx(-member.metrics.test_log_likelihood / math.log(2))
    assert row["held_out_bits_per_character"] > 0
    assert "test_error" not in row


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("'resnet'", "resnet"),
        ("'densenet-bc-10-4', epochs=0", "epochs"),
        ("'densenet-bc-10-4', objective='kd'", "kd"),
        ("'densenet-bc-10-4', task='folder'", "--data"),
        ("'densenet-bc-10-4', cpus_per_worker=0", "--cpus-per-worker 0: at least 1"),
        ("'densenet-bc-10-4', concurrent=-1", "--concurrent -1: at least 1"),
        ("'densenet-bc-10-4', gpus_per_worker=-0.5", "--gpus-per-worker -0.5: 0, a part of one"),
        ("'densenet-bc-10-4', generations=-1", "--generations -1 is negative"),
        ("'densenet-bc-10-4', workers=0", "--workers 0"),
        ("'densenet-bc-10-4', seeds=[]", "--seeds"),
    ],
)
def test_what_cannot_be_used_raises(tmp_path: Path, environment: dict[str, str], arguments: str, told: str) -> None:  # noqa: F811
    code = (
        "from ban_ray.errors import UserError\nfrom ban_ray.search.api import train_chain\n"
        f"try:\n    train_chain({arguments})\nexcept UserError as error:\n    print(error)\n"
    )
    done = call(tmp_path, environment, code)
    assert done.returncode == 0, done.stderr
    assert told in done.stdout
    assert not (tmp_path / "ban_runs" / "searches").exists()


def test_a_call_without_any_generation_raises_the_first_reason(tmp_path: Path) -> None:
    spec = resolve(SearchOptions(space="chain", network="densenet-bc-10-4", seeds=(0, 1)))
    failed = [(planned, f"seed {planned.seed}: its loss is not finite") for planned in spec.chains]
    result = SearchResult(spec, Population(open_storage(str(tmp_path))), "chain", failed)
    with pytest.raises(RuntimeError, match=r"densenet-bc-10-4 seed 0: seed 0: its loss is not finite$"):
        api._frame(result)


def test_a_gain_is_below_zero(tmp_path: Path) -> None:
    """As in every table; without the baseline it is not known."""
    fabricator = Fabricator(Population(open_storage(str(tmp_path))))
    spec = resolve(SearchOptions(space="chain", network="densenet-bc-10-4", seeds=(0, 1), generations=1))
    for planned in spec.chains:
        for number, generation in enumerate(planned.chain.generations):
            if planned.seed == 0 or number:
                fabricator.publish(generation, strength=3.0 * number)
    frame = api._frame(SearchResult(spec, fabricator.population, "chain", []))
    baseline, student, orphan = frame.to_dict("records")
    assert baseline["test_gain"] == 0
    assert student["test_gain"] == pytest.approx(student["test_error"] - baseline["test_error"])
    assert student["test_gain"] < 0
    assert orphan["generation"] == 1 and math.isnan(orphan["test_gain"])


def arguments_of(function: Any) -> set[str]:
    return set(function.__annotations__) - {"return"}


def test_every_argument_is_an_option() -> None:
    from ban_ray.search.api import train_chain
    from ban_ray.search.config.options import SearchOptions

    assert arguments_of(train_chain) <= set(SearchOptions.__dataclass_fields__)
