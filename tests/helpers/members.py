"""Members made up without training, small and valid."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from ban_ray.population import Member, Population, Predictions, publish
from ban_ray.population.checksummed_json import FORMAT_VERSION, seal
from ban_ray.population.layout import RECORD
from ban_ray.population.member import File, MemberMetrics
from ban_ray.specs import SEMANTICS_VERSION, Generation, Objective, Recipe, Task

TASK = Task(name="digits", fingerprint="0" * 64)
CLASSES = 3


def generation(seed: int = 0, teachers: tuple[str, ...] = (), **changes: Any) -> Generation:
    objective = Objective(name="ban+l" if teachers else "label")
    fields: dict[str, Any] = {"task": TASK, "network": "densenet-bc-10-4", "recipe": Recipe(epochs=2), **changes}
    return Generation(objective=objective, seed=seed, teachers=teachers, **fields)


def predictions(bits: int = 0, count: int = 4) -> Predictions:
    """The same for the same `bits`."""
    chance = np.random.default_rng(bits)
    logits = chance.normal(size=(2, count, CLASSES))
    outputs = (logits - np.log(np.exp(logits).sum(2, keepdims=True))).astype(np.float32)
    labels = chance.integers(0, CLASSES, (2, count))
    return Predictions(outputs[0], labels[0], outputs[1], labels[1])


def add(
    population: Population, seed: int = 0, teachers: tuple[Member, ...] = (), *, bits: int = 0, **changes: Any
) -> Member:
    """Publish a member; other `bits` are other weights of the same key."""
    chance = np.random.default_rng([seed, bits])
    return publish(
        population,
        generation(seed, tuple(teacher.key for teacher in teachers), **changes),
        weights={"head.weight": chance.normal(size=(CLASSES, 2)).astype(np.float32)},
        predictions=predictions(bits),
        history=[{"epoch": 1, "loss": 1.5, "teacher_loss": None}, {"epoch": 2, "loss": 1.25, "teacher_loss": None}],
        teachers={teacher.key: teacher.weights.sha256 for teacher in teachers},
        parameters=6,
        provenance={"seconds": 1.5, "generation_number": len(teachers), "threads": 1, "nothing": None},
    )


def chain(population: Population, length: int = 2) -> list[Member]:
    """Members that each taught the next."""
    made: list[Member] = []
    for seed in range(length):
        made.append(add(population, seed, tuple(made[-1:])))
    return made


def record(member: Member) -> dict[str, Any]:
    """The record as plain JSON, without its digest."""
    plain: dict[str, Any] = json.loads(member.to_bytes())
    del plain["sha256"]
    return plain


def signed(plain: dict[str, Any]) -> bytes:
    """As a stranger would write it: with a valid digest of whatever it holds."""
    return seal(plain)


def path(population: Population, member: Member, name: str = RECORD) -> Path:
    return Path(population.storage.url) / "population" / member.key / name


def age(place: Path, days: float) -> None:
    """Make a file, or a folder with all below it, look old."""
    for one in (place, *place.rglob("*")):
        status = one.stat()
        os.utime(one, (status.st_atime - days * 86_400, status.st_mtime - days * 86_400))


def many(root: Path, count: int) -> None:
    """Records of valid form without their files, written without the syncing that publication does."""
    file = {kind: File.of(kind, kind.encode()) for kind in ("weights", "predictions")}
    previous: tuple[str, ...] = ()
    for seed in range(count):
        spec = generation(seed, previous if seed % 4 else ())
        member = Member(
            format_version=FORMAT_VERSION,
            semantics_version=SEMANTICS_VERSION,
            key=spec.key,
            generation=spec,
            teachers=dict.fromkeys(spec.teachers, "0" * 64),
            parameters=20_000,
            metrics=MemberMetrics(
                held_out_error=1.5, held_out_log_likelihood=-0.125, test_error=2.5, test_log_likelihood=-0.25
            ),
            history=File.of("history", b"history"),
            provenance={"chain_seed": seed // 4, "seconds": 2.5, "versions": {"torch": "2.9"}, "host": "here"},
            **file,
        )
        folder = root / "population" / spec.key
        folder.mkdir(parents=True)
        (folder / RECORD).write_bytes(member.to_bytes())
        previous = (spec.key,)
