"""``python -m tests.golden.record KIND ...`` records the values that the tests in this folder compare with.

Kinds: ``words``; ``hashes``, with the names of options; ``plans``; ``searches``; ``sampled``, which starts Ray;
``tables``; ``population``, which trains for some minutes; ``population_values``, of the storage as it is.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.golden import cases, values
from tests.golden.commands import RECORDED, run, within, write

POPULATION = Path(__file__).with_name("population")
ROOT = Path(__file__).parents[2]


def words(work: Path) -> None:
    target = RECORDED / "words"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for command, text in values.helps().items():
        (target / f"{command.replace(' ', '-')}.txt").write_text(text)
    (target / "ban_ray.search-list.txt").write_text(run("ban_ray.search", "--list").out)
    (target / "densenet_grid.txt").write_text(values.printed(work / "printed"))


def hashes(work: Path) -> None:
    write("hashes.json", values.hashes())
    write("options.json", values.options())


def plans(work: Path) -> None:
    for name, case in cases.LAPTOP.items():
        write(f"plans/{name}.json", values.plan(*case.arguments))


def searches(work: Path) -> None:
    for name in cases.SEARCHES:
        write(f"searches/{name}.json", values.finished(name, work / name))


def sampled(work: Path) -> None:
    for name in cases.SAMPLED:
        values.record_sampled(name, work / f"recorded-{name}")
        write(f"sampled/{name}.json", values.sampled(name, work / f"sampled-{name}"))


def tables(work: Path) -> None:
    for name in cases.TABLES:
        target = RECORDED / "tables" / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for table, text in values.tables(name, work / f"runs-{name}", work / f"tables-{name}").items():
            (target / f"{table}.csv").write_text(text)


def population(work: Path) -> None:
    storage = work / "population"
    for arguments in cases.TRAINED.values():
        _search(work, *arguments)
    _import(work)
    _search(work, *cases.TAUGHT)
    _interrupt(work)
    shutil.rmtree(POPULATION, ignore_errors=True)
    # Nor the checkpoint that was half written.
    left_out = shutil.ignore_patterns("report", "ray", ".*.lock", ".*.holder", ".epoch-*")
    shutil.copytree(storage, POPULATION, ignore=left_out)
    write("processor.json", values.processor())
    population_values(work)


def population_values(work: Path) -> None:
    """Of the storage as it was recorded."""
    write("population.json", values.population(shutil.copytree(POPULATION, work / "copy")))


def _search(work: Path, *arguments: str) -> None:
    subprocess.run(_command(*arguments), cwd=work, env=_environment(), check=True)


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ban_ray.search", "--storage", "population", *arguments]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _import(work: Path) -> None:
    """Of the weights of the user's own network, as if they came from elsewhere."""
    run("ban_ray.population", "export", _newest(work, cases.OWN_NETWORK), "exported", "--storage", "population")
    run("ban_ray.population", "import", "exported/weights.safetensors", "--storage", "population", *cases.IMPORTED)


def _newest(work: Path, network: str) -> str:
    listed = run("ban_ray.population", "ls", "--storage", "population", "--json").json
    return str(next(member["key"] for member in listed if member["network"] == network))


def _interrupt(work: Path) -> None:
    """A search that was interrupted after two thirds of its training."""
    process = subprocess.Popen(_command(*cases.UNFINISHED), cwd=work, env=_environment())
    while not list((work / "population" / "unfinished").glob("*/*/epoch-02*")):
        assert process.poll() is None, "it has ended before it was interrupted"
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130


def main(kinds: list[str]) -> None:
    every = {each.__name__: each for each in (words, hashes, plans, searches, sampled, tables, population)}
    every["population_values"] = population_values
    if not kinds or not set(kinds) <= set(every):
        sys.exit(f"kinds: {', '.join(every)}")
    with tempfile.TemporaryDirectory(prefix="golden-") as folder:
        work = Path(folder)
        os.environ["BAN_RAY_CACHE"] = str(work / "cache")
        # Workers find what stands in for training, and the user's own network, as this process does.
        os.environ["PYTHONPATH"] = str(ROOT)
        cases.write_data(work)
        with within(work):
            for kind in kinds:
                every[kind](work)


if __name__ == "__main__":
    main(sys.argv[1:])
