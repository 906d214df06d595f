"""Names and examples in the documents for developers exist and run."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ban_ray.search.config import spaces
from ban_ray.specs import SpaceContext, Task

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *(ROOT / ".github" / f"{name}.md" for name in ("ARCHITECTURE", "CONTRIBUTING", "CHANGELOG")),
    *(ROOT / folder / "README.md" for folder in ("analysis", "search_spaces", "tests")),
]
BLOCK = re.compile(r"^```python\n# (\S+\.py)\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = {path: text for document in DOCUMENTS for path, text in BLOCK.findall(document.read_text())}
REGISTERED = {
    "ban_ray/networks/families/plain_cnn.py": "from ban_ray.networks.registry import parse; parse('plain-cnn-4')",
    "ban_ray/objectives/brier.py": "from ban_ray.specs import Objective; Objective.parse('brier:teacher_weight=2')",
    "ban_ray/specs/recipes/adamw_linear.py": (
        "from ban_ray.specs.recipes import find; assert find()['adamw-linear'].warm_up_epochs == 2"
    ),
    "ban_ray/tasks/types/stripes.py": "from ban_ray.tasks.catalog import TASK_TYPES; TASK_TYPES['stripes']",
    "ban_ray/search/samplers/univariate_tpe.py": (
        "from ban_ray.search.samplers import SAMPLERS; SAMPLERS['tpe-univariate'].optuna_sampler(0, 9)"
    ),
    "ban_ray/population/teaching/smallest.py": (
        "from ban_ray.population.teaching import parse_policy; assert parse_policy('smallest').text == 'smallest'"
    ),
    "analysis/plots/seeds.py": (
        "from analysis.plots import registered; assert 'seeds' in [figure.name for figure in registered()]"
    ),
}
"""Of an example that a package finds: a use of what it registers."""


def python(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_paths_links_and_modules_exist(document: Path) -> None:
    text = document.read_text()
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [link for link in links if not (document.parent / link).exists()] == []
    paths = re.findall(r"`((?:ban_ray|analysis|search_spaces|tests|\.ci|\.github)/[\w./-]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    modules = re.findall(r"python -m ([a-z_][\w.]*\w)", text)
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []


def test_every_example_is_run() -> None:
    assert set(EXAMPLES) == {*REGISTERED, "batch_sizes.py"}


def test_each_example_is_registered_by_its_file(tmp_path: Path) -> None:
    """In one process, since importing what registers them takes seconds."""
    lines = ["import importlib"]
    for path in REGISTERED:
        file = tmp_path / path
        file.parent.mkdir(parents=True)
        file.write_text(EXAMPLES[path])
        package = path.rpartition("/")[0].replace("/", ".")
        lines.append(f"importlib.import_module({package!r}).__path__.append({str(file.parent)!r})")
        lines.append(f"importlib.import_module('{package}.{file.stem}')")
    python("-c", "\n".join([*lines, *REGISTERED.values()]))


def test_the_example_of_a_space_makes_chains(tmp_path: Path) -> None:
    file = tmp_path / "batch_sizes.py"
    file.write_text(EXAMPLES[file.name])
    space = spaces.load(str(file))
    scale = space.scales["laptop"]
    task = Task(name="digits", fingerprint="0" * 64)
    context = SpaceContext("laptop", task, scale.recipe, scale.objective, scale.generations)
    chains = [space.chain(configuration, context, 0) for configuration in scale.configurations]
    assert len({chain.keys for chain in chains}) == 3
    rows = [space.place(*pair).row for pair in zip(scale.configurations, chains, strict=True)]
    assert rows == ["batch 25", "batch 50", "batch 100"]


@pytest.mark.parametrize("command", ["check", "format --check"])
def test_ruff_accepts_the_examples(command: str, tmp_path: Path) -> None:
    for path, text in EXAMPLES.items():
        (tmp_path / Path(path).name).write_text(text)
    python("-m", "ruff", *command.split(), "--config", str(ROOT / "pyproject.toml"), str(tmp_path))
