"""``python -m ban_ray.population``: what it prints, what it deletes, and how it refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ban_ray.population import Member, Population, checkpoints, claims, failures
from ban_ray.population.maintenance.verify import quarantine
from tests.helpers.members import add, age, chain, path, record, signed
from tests.helpers.population_command import Command

ABSENT = "f" * 64


@pytest.fixture
def members(population: Population) -> list[Member]:
    return chain(population, 3)


@pytest.fixture
def url(population: Population) -> str:
    return population.storage.url


def test_ls(command: Command, members: list[Member], url: str) -> None:
    done = command("ls", "--storage", url)
    assert done.status == 0
    heading, *rows = done.out.splitlines()
    assert heading.split()[:4] == ["key", "task", "network", "objective"]
    assert sorted(row.split()[0] for row in rows) == sorted(member.key[:12] for member in members)
    assert "3 members" in done.err
    listed = json.loads(command("ls", "--storage", url, "--json").out)
    assert {row["key"]: row["test_error"] for row in listed} == {
        member.key: member.metrics.test_error for member in members
    }


def test_ls_with_filters(command: Command, population: Population, members: list[Member], url: str) -> None:
    other = add(population, 9, network="wide-resnet-10-1")
    chosen = json.loads(command("ls", "--storage", url, "--json", "--network", "wide-*").out)
    assert [row["key"] for row in chosen] == [other.key]
    assert json.loads(command("ls", "--storage", url, "--json", "--task", "cifar10").out) == []
    assert len(json.loads(command("ls", "--storage", url, "--json", "--task", "digits").out)) == 4


def test_ls_tells_of_damaged_records(command: Command, population: Population, members: list[Member], url: str) -> None:
    path(population, members[0]).write_bytes(b"{}")
    done = command("ls", "--storage", url)
    assert done.status == 0
    assert "1 damaged record" in done.err


def test_a_terminal_is_not_told_what_to_do(command: Command, population: Population, url: str) -> None:
    """By a name that a stranger chose."""
    member = add(population, 1, network="evil\x1b]0;title\x07\n[red]name")
    for arguments in (["ls"], ["show", member.key], ["verify"]):
        done = command(*arguments, "--storage", url)
        assert done.status == 0
        assert "\x1b" not in done.out
        assert "\x07" not in done.out
    assert "[red]name" in command("ls", "--storage", url).out


def test_names_of_emoji_and_markup_are_printed_as_they_are(command: Command, population: Population, url: str) -> None:
    name = "mod:factory: [red]x"
    member = add(population, 1, network=name)
    Path(url, "population", name).mkdir()
    for arguments in (["ls"], ["show", member.key], ["verify"]):
        assert name in command(*arguments, "--storage", url).out


def test_show(command: Command, members: list[Member], url: str) -> None:
    done = command("show", members[2].key[:8], "--storage", url)
    assert done.status == 0
    for text in (members[2].key, "recipe.epochs", "test error", "ban+l", "threads"):
        assert text in done.out
    lineage = done.out.partition("lineage")[2].splitlines()[2:]
    assert [row.split()[0] for row in lineage] == [member.key[:12] for member in members], "from the root"
    shown = json.loads(command("show", members[2].key, "--storage", url, "--json").out)
    assert shown["record"]["key"] == members[2].key
    assert shown["lineage"] == [{"key": member.key, "note": ""} for member in members]


def test_show_of_an_ensembles_student(command: Command, population: Population, url: str) -> None:
    """Every ancestor once, after its teachers, however many ways lead to it."""
    made: list[Member] = []
    for seed in range(12):
        made.append(add(population, seed, tuple(made)))
    lineage = json.loads(command("show", made[-1].key, "--storage", url, "--json").out)["lineage"]
    assert [one["key"] for one in lineage] == [member.key for member in made]


def test_show_tells_of_teachers(command: Command, population: Population, members: list[Member], url: str) -> None:
    for file in path(population, members[0]).parent.iterdir():
        file.unlink()
    assert "is not in the population" in command("show", members[2].key, "--storage", url).out
    add(population, 0, bits=1)
    assert f"other weights than those that taught {members[1].key[:12]}" in (
        command("show", members[2].key, "--storage", url).out
    )


def test_verify(command: Command, population: Population, members: list[Member], url: str) -> None:
    done = command("verify", "--storage", url)
    assert (done.status, done.out.splitlines()[-1].partition(",")[0]) == (0, "3 members read")
    path(population, members[1], members[1].weights.name).write_bytes(b"broken")
    done = command("verify", "--storage", url)
    assert done.status == 1
    assert "does not match its digest" in done.out
    assert command("verify", members[0].key, "--storage", url).status == 0
    report = json.loads(command("verify", "--storage", url, "--set-aside", "--json").out)
    assert [finding["what"] for finding in report["findings"]] == ["damaged"]
    assert report["set_aside"] == {members[1].key: f"damaged/{members[1].key}-1"}
    assert members[1].key not in population
    assert command("verify", "--storage", url, "--json").status == 1, "a teacher is missing"


def test_verify_with_nothing_left_to_do(command: Command, population: Population, url: str) -> None:
    path(population, add(population)).write_bytes(b"{}")
    done = command("verify", "--storage", url, "--set-aside")
    assert done.status == 0
    assert "trained again when a search needs it" in done.out


def test_rm(command: Command, population: Population, members: list[Member], url: str) -> None:
    key = members[1].key
    checkpoints.save(population.storage, members[2].key, "run", 1, b"state")
    refused = command("rm", key[:10], "--storage", url, "--yes")
    assert refused.status == 2
    assert f"taught 1 others, such as {members[2].key[:12]}" in refused.err
    assert command("rm", members[2].key, "--storage", url).status == 2, "there is no terminal to ask on"
    assert len(population.keys()) == 3
    assert command("rm", members[1].key, members[2].key, "--storage", url, "--yes").status == 0
    assert population.keys() == [members[0].key]
    assert population.storage.list("population") == [members[0].key]
    assert population.storage.list("unfinished") == []


def test_rm_by_force(command: Command, population: Population, members: list[Member], url: str) -> None:
    assert command("rm", members[0].key, "--storage", url, "--yes", "--force").status == 0
    assert members[0].key not in population


def test_rm_asks(
    command: Command, population: Population, members: list[Member], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["no\n", "", "yes\n"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda: next(answers), raising=False)
    assert [command("rm", members[2].key, "--storage", url).status for _ in range(3)] == [2, 2, 0]
    assert members[2].key not in population


def litter(population: Population, members: list[Member]) -> tuple[Path, list[str]]:
    """Everything that is garbage, and much that is not; the paths of the garbage."""
    storage, root = population.storage, Path(population.storage.url)
    published, abandoned, fresh, held = members[0].key, "1" * 64, "2" * 64, "3" * 64
    for key in (published, abandoned, fresh, held):
        checkpoints.save(storage, key, "run", 1, b"state")
    for key in (abandoned, fresh, held):
        storage.write(f"claims/{key}/000001.json", b"{}")
    failures.record(storage, "4" * 64, "non-finite", "sentence", "search")
    folder = path(population, members[1]).parent
    for name in ("weights-old", ".weights.012345"):
        (folder / name).write_bytes(b"x")
    (root / "population" / ("5" * 64)).mkdir()
    (root / "population" / ("5" * 64) / "weights-x").write_bytes(b"x")
    (root / "failures" / ".scratch").write_bytes(b"x")
    path(population, members[2]).write_bytes(b"{}")
    quarantine(population, members[2].key)
    age(root, 10)
    for key in (fresh, held):
        age(root / "claims" / key, -10)
    age(root / "unfinished" / fresh, -10)
    return root, [
        f"unfinished/{published}",
        f"unfinished/{abandoned}",
        f"claims/{abandoned}",
        f"population/{members[1].key}/.weights.012345",
        f"population/{members[1].key}/weights-old",
        f"population/{'5' * 64}",
        "failures/.scratch",
    ]


def test_gc(command: Command, population: Population, members: list[Member], url: str) -> None:
    root, expected = litter(population, members)
    before = {str(file) for file in root.rglob("*") if file.is_file()}
    dry = json.loads(command("gc", "--storage", url, "--dry-run", "--json").out)
    assert sorted(one["path"] for one in dry["garbage"]) == sorted(expected)
    assert dry["deleted"] is False
    assert dry["bytes"] == sum(one["size"] for one in dry["garbage"]) > 0
    assert {str(file) for file in root.rglob("*") if file.is_file()} == before
    assert command("gc", "--storage", url).status == 0
    after = {str(file) for file in root.rglob("*") if file.is_file()}
    gone = {file for file in before if any(Path(file).is_relative_to(root / place) for place in expected)}
    assert before - after == gone
    assert command("gc", "--storage", url).out.startswith("0 deleted")
    assert list(checkpoints.newest_first(population.storage, "2" * 64)) == [(1, b"state")]
    assert list(checkpoints.newest_first(population.storage, "3" * 64)) == [(1, b"state")], "its claim is renewed"


def test_gc_leaves_what_is_under_way(command: Command, population: Population, url: str) -> None:
    population.storage.write(f"population/{ABSENT}/weights-x", b"x")
    checkpoints.save(population.storage, ABSENT, "run", 1, b"state")
    claim = claims.acquire(population.storage, ABSENT, "run")
    assert claim is not None
    claim.release()
    assert json.loads(command("gc", "--storage", url, "--json").out)["garbage"] == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "xyz"], "4 to 64 hexadecimal digits"),
        (["show", "abc"], "4 to 64 hexadecimal digits"),
        (["show", ABSENT], "no member of"),
        (["show", "ffff"], "no member of"),
        (["show", "../../../etc/passwd"], "4 to 64 hexadecimal digits"),
        (["verify", "ffff"], "no member of"),
        (["rm", "ffff"], "no member of"),
        (["replay", "ffff"], "no member of"),
        (["export", "ffff", "there"], "no member of"),
        (["rm"], "Missing argument"),
        (["gc", "--older-than", "0.5"], "older-than"),
        (["gc", "--older-than", "x"], "older-than"),
        (["frobnicate"], "No such command"),
        (["ls", "--frobnicate"], "No such option"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    command: Command, members: list[Member], url: str, arguments: list[str], sentence: str
) -> None:
    named = arguments if arguments[0] == "frobnicate" else [*arguments, "--storage", url]
    done = command(*named)
    assert done.status == 2
    assert done.out == ""
    assert done.err.startswith("Error: ")
    assert len(done.err.splitlines()) == 1
    assert sentence in done.err


@pytest.mark.parametrize("name", ["ls", "show ffff", "verify", "rm ffff", "gc", "replay ffff", "export ffff x"])
def test_reading_makes_no_storage(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    for storage in ([], ["--storage", "elsewhere"]):
        done = command(*name.split(), *storage)
        assert done.status == 2
        assert "there is no such folder" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_prefix_of_several_keys(command: Command, population: Population, url: str) -> None:
    keys = [add(population, seed).key for seed in range(2)]
    for key in keys:
        folder = Path(url) / "population" / f"abcd{key[4:]}"
        folder.mkdir()
        (folder / "member.json").write_bytes(b"{}")
    done = command("show", "abcd", "--storage", url)
    assert done.status == 2
    assert "2 members have keys that begin with abcd" in done.err


def test_a_damaged_record_is_told_in_a_sentence(command: Command, population: Population, url: str) -> None:
    member = add(population)
    path(population, member).write_bytes(signed({**record(member), "format_version": 2}))
    done = command("show", member.key, "--storage", url)
    assert done.status == 2
    assert "format version 2, which is not known" in done.err


def test_in_a_bucket(command: Command, s3: str) -> None:
    from ban_ray.population import open_storage

    population = Population(open_storage(s3))
    made = chain(population, 2)
    assert len(json.loads(command("ls", "--storage", s3, "--json").out)) == 2
    assert command("verify", "--storage", s3).status == 0
    population.storage.write(f"population/{made[1].key}/{made[1].weights.name}", b"broken")
    assert command("verify", "--storage", s3, "--set-aside").status == 0
    assert population.keys() == [made[0].key]
    assert len(population.storage.list(f"damaged/{made[1].key}-1")) == 5
    assert command("rm", made[0].key[:6], "--storage", s3, "--yes").status == 0
    assert population.keys() == []
    assert command("gc", "--storage", s3).status == 0


def test_as_a_process(members: list[Member], url: str) -> None:
    """With a reader that has enough after one line."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    script = f"{sys.executable} -m ban_ray.population ls --storage {url} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=environment, timeout=120, check=True
    )
    assert done.stdout.startswith("key")
    assert "Traceback" not in done.stderr
