"""Bad input: one sentence with the value and what is allowed, status 2, no traceback, nothing written."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from tests.helpers.command import Command, Run, write_space

GRID = ("--space", "densenet_grid")

CHAIN = ("--space", "chain", "--network", "densenet-bc-10-4")
LSTM = ("--space", "chain", "--network", "lstm-2-12", "--task", "python_docs")

CASES = [
    (("--space", "nonsense"), "densenet_grid"),
    ((), "--space"),
    ((*GRID, "--task", "mnist2"), "cifar100"),
    ((*GRID, "--objective", "hinton"), "ban+l"),
    ((*GRID, "--objective", "ban:temperature=-1"), "temperature"),
    ((*GRID, "--objective", "label:temperature=2"), "label_smoothing"),
    ((*GRID, "--task", "cifar10"), "--data"),
    ((*GRID, "--task", "cifar10", "--data", "no/such/folder"), "no/such/folder"),
    ((*GRID, "--data", "."), "embedded"),
    ((*GRID, "--epochs", "0"), "x>=1"),
    ((*GRID, "--workers", "3"), "64"),
    ((*GRID, "--batch-size", "301"), "300"),
    ((*GRID, "--label-noise", "1.5"), "0<=x<=1"),
    ((*GRID, "--seeds", "0,0"), "different"),
    ((*GRID, "--seeds", "a"), "0,1,2"),
    ((*GRID, "--scale", "paper"), "--data"),
    ((*GRID, "--storage", "/proc/nothing"), "/proc/nothing"),
    ((*GRID, "--storage", "~nobody-of-that-name/runs"), "no such user"),
    ((*GRID, "--name", "../elsewhere"), "letters"),
    ((*GRID, "--generations", "-1"), "x>=0"),
    (("--space", "chain", "--network", "densenet-bc-10-4", "--network-version", "2"), "versions of its own"),
    (("--space", "chain", "--network", "__main__:build"), "another module in every process"),
    ((*GRID, "--keep-unfinished"), "has no effect without --stopping"),
    (("--space", "densenet_search", "--max-parameters", "10", "--sampler", "grid"), "leaves no configuration"),
    ((*GRID, "--teacher-cache", "much"), "2GiB"),
    (("--space", "chain", "--network", "pre-resnet-11", "--recompute"), "dense units"),
    ((*GRID, "--teacher-cache", "10kB"), "at least 1MB"),
    ((*GRID, "--teacher-cache", "1GB", "--generations", "0"), "no network here learns from a teacher"),
    (("--space", "language_models", "--teacher-cache", "1GiB"), "tokens before it"),
    (("--space", "densenet_search", "--teacher-cache", "1GB", "--generations", "0"), "learns from a teacher"),
    ((*GRID, "--target", "ensemble", "--generations", "0"), "every chain here is one generation"),
    (("--space", "densenet_search", "--target", "best", "--generations", "0"), "every chain here is one generation"),
    ((*GRID, "--protocol", "paper", "--split-seed", "5", "--label-noise", "0"), "--split-seed 5 has no effect"),
    (("--space", "x" * 300 + ".py"), "is not a file"),
    ((*GRID, "--recipe", "wide"), "'wide' is unknown; allowed are cnn-lstm, fine-tune"),
    ((*GRID, "--flip", "--set", "recipe.augmentation=crop"), "recipe.augmentation crop has its own mirroring"),
    ((*GRID, "--recipe", "lstm"), "unrolls 35 steps"),
    ((*GRID, "--only", "width=3"), "no parameter 'width'"),
    (("--space", "wide_resnet_teachers", "--only", "student=x"), "no value 'x'; allowed are densenet-bc-16-8, same"),
    (("--space", "densenet_search", "--only", "depth=40"), "is sampled and has no list"),
    ((*GRID, "--plan", "--name", "../elsewhere"), "letters"),
    ((*CHAIN, "--set", "recipe.lr=0.1"), "--set recipe.lr=0.1: there is no field 'recipe.lr'; the nearest: "),
    (
        (*CHAIN, "--set", "recipe.learning_rate"),
        "a name, '=' and a value are needed, such as recipe.learning_rate=0.01",
    ),
    ((*CHAIN, "--set", "recipe.epochs=0"), "--set recipe.epochs=0: input should be greater than or equal to 1"),
    ((*CHAIN, "--set", "recipe.workers=3"), "--set recipe.workers=3: workers = 3 do not divide the batch size 64"),
    ((*CHAIN, "--set", "recipe.epochs=3", "--epochs", "4"), "--set recipe.epochs=3 and --epochs 4 differ"),
    ((*CHAIN, "--set", "recipe.epochs=3", "--set", "recipe.epochs=4"), "recipe.epochs is 3 already"),
    ((*CHAIN, "--objective", "ban:temperature=2", "--set", "objective.temperature=3"), "--objective ban:temperature=2"),
    ((*CHAIN, "--set", "objective.label_smoothing=0.1", "--objective", "dkpp"), "dkpp does not use label_smoothing"),
    ((*CHAIN, "--set", "objective.temperature=4", "--generations", "0"), "has no effect: no generation of space chain"),
    ((*CHAIN, "--set", "task.label_noise=0.1"), "an option of its own: --label-noise"),
    ((*CHAIN, "--set", "task.flip=true"), "an option of its own: --flip"),
    ((*CHAIN, "--set", "task.normalise=0.5,0.2"), "a list of means and one of deviations above 0 are needed"),
    ((*CHAIN, "--set", "task.normalise=[[0.5],[0]]"), "a list of means and one of deviations above 0 are needed"),
    ((*CHAIN, "--set", "task.normalise=[[0.5,0.5],[0.2,0.2]]"), "has values for 2 channels, and images of task digits"),
    ((*CHAIN, "--search", "task.normalise=[[0],[1]],[[1],[1]]"), "all chains of a search have the same inputs"),
    ((*CHAIN, "--set", "recipe.body_learning_rate=0"), "input should be greater than 0"),
    (
        (*GRID, "--pretrained", "default"),
        "--pretrained 'default' has no effect: space densenet_grid has its own networks",
    ),
    (
        (*CHAIN, "--pretrained", "default"),
        "has no weights of its own; default is allowed for timm:MODEL and torchvision",
    ),
    (
        (*CHAIN, "--pretrained", "no.safetensors"),
        "is no file; a safetensors file, a member's KEY and default are allowed",
    ),
    ((*CHAIN, "--pretrained", "."), "is a folder; a safetensors file, a member's KEY and default are allowed"),
    ((*CHAIN, "--pretrained", "0123456789"), "there is no population yet to take a member from"),
    ((*CHAIN, "--pretrained", "x" * 5000), "cannot be read: File name too long"),
    ((*LSTM, "--pretrained", "default"), "is for images; language models are trained from random weights"),
    ((*LSTM, "--set", "task.normalise=[[0],[1]]"), "task.normalise has no effect: task python_docs has no images"),
    ((*CHAIN, "--set", "recipe.plateau=1", "--protocol", "paper"), "plateau = 1 needs held-out data"),
    (("--space", "recipe_search", "--set", "recipe.learning_rate=0.1"), "space recipe_search chooses it"),
    (("--space", "objectives", "--search", "objective.temperature=1..8"), "space objectives chooses it"),
    ((*CHAIN, "--search", "recipe.learning_rate=0.3..0.1"), "from the smaller number to the larger"),
    ((*CHAIN, "--search", "recipe.weight_decay=0..0.1:log"), "a logarithmic scale starts above 0"),
    ((*CHAIN, "--search", "recipe.precision=fp32..bf16"), "a range needs a field of numbers"),
    (
        (*CHAIN, "--search", "recipe.batch_size=200..500"),
        "is larger than the 300 training images; allowed are 1 to 300",
    ),
    ((*CHAIN, "--search", "recipe.epochs=2,3", "--set", "recipe.epochs=2"), "a field is set or searched, not both"),
    ((*CHAIN, "--search", "recipe.epochs=2,3", "--epochs", "2"), "--search recipe.epochs=2,3 and --epochs 2 differ"),
    ((*CHAIN, "--search", "recipe.workers=1,2"), "the same number of workers"),
    ((*CHAIN, "--search", "objective.temperature=1..8", "--objective", "cwtm"), "cwtm does not use temperature"),
    ((*CHAIN, "--search", "recipe.clip=1..8", "--protocol", "paper"), "allows only --sampler grid"),
    ((*CHAIN, "--search", "recipe.clip=1..8", "--sampler", "grid"), "recipe.clip of space chain is continuous"),
    (("--config", "no.toml"), "--config 'no.toml' cannot be read: No such file"),
]


def check_refused(run: Run, folder: Path, reason: str) -> None:
    assert run.status == 2, run.err
    assert reason in run.err
    assert len([line for line in run.err.splitlines() if line.startswith("Error: ")]) == 1
    assert "Traceback" not in run.err
    assert not (folder / "ban_runs" / "searches").exists()


@pytest.mark.parametrize(("arguments", "reason"), CASES, ids=[" ".join(arguments)[:60] for arguments, _ in CASES])
def test_one_sentence_and_status_2(
    search_here: Command, tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    check_refused(search_here(*arguments), tmp_path, reason)


@pytest.mark.parametrize(("arguments", "reason"), [CASES[0], ((*GRID, "--epochs", "0"), "x>=1")], ids=["us", "click"])
def test_a_process_says_and_exits_the_same(
    search: Command, search_here: Command, tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    run = search(*arguments)
    check_refused(run, tmp_path, reason)
    assert run.err.splitlines()[-1] == search_here(*arguments).err.splitlines()[-1]


def encoded(images: NDArray[np.uint8]) -> pa.Array:
    from io import BytesIO

    from PIL import Image

    rows = []
    for image in images:
        buffer = BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        rows.append({"bytes": buffer.getvalue(), "path": None})
    return pa.array(rows)


@pytest.mark.parametrize("broken", ["empty folder", "wrong columns", "corrupt image"])
def test_bad_data_folder(search_here: Command, tmp_path: Path, broken: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    images = encoded(np.zeros((20, 32, 32, 3), np.uint8))
    if broken == "corrupt image":
        images = pa.array([{"bytes": b"not an image", "path": None}] * 20)
    name = "fine_label" if broken != "wrong columns" else "kind"
    if broken != "empty folder":
        for part in ("train", "test"):
            pq.write_table(pa.table({"img": images, name: [0, 1] * 10}), data / f"{part}.parquet")
    run = search_here(*GRID, "--task", "cifar100", "--data", str(data))
    assert run.status == 2
    assert "train.parquet" in run.err
    assert "Traceback" not in run.err
    assert not (tmp_path / "ban_runs").exists()


def test_a_depth_below_ten(search_here: Command, tmp_path: Path) -> None:
    text = Path(write_space(tmp_path)).read_text().replace("densenet-bc-10", "densenet-bc-9")
    (tmp_path / "shallow.py").write_text(text)
    run = search_here("--space", "shallow.py")
    assert run.status == 2
    assert "depth 9" in run.err
    assert "10" in run.err


def test_a_space_that_decides_a_field_without_saying_so(search_here: Command, tmp_path: Path) -> None:
    """Its chains show that the field is not taken from the context."""
    text = Path(write_space(tmp_path)).read_text().replace("setting.recipe,", "Recipe(epochs=2, batch_size=50),")
    (tmp_path / "own.py").write_text(text)
    for option in ("--set=recipe.learning_rate=0.3", "--search=recipe.learning_rate=0.1..0.3"):
        run = search_here("--space", "own.py", option)
        check_refused(
            run, tmp_path, "has no effect: no generation of space tiny takes its recipe.learning_rate from there"
        )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("spase = 'chain'", "there is no option 'spase'; the nearest: space"),
        ("space = ", "cannot be read: Invalid value"),
        ("space = 'chain'\nseeds = ['a']", "--seeds"),
        ("space = 'chain'\nset = 3", "--set"),
        ("space = 'chain'\nbatch-size = 2\nbatch_size = 3", "gives batch_size twice"),
        ("space = 'chain'\n[set]\nrecipe.lr = 3", "--set recipe.lr=3: there is no field"),
        ("seeds = [0]", "--space is missing"),
    ],
)
def test_a_config_that_cannot_be_used(search_here: Command, tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "options.toml").write_text(text)
    check_refused(search_here("--config", "options.toml", "--network", "densenet-bc-10-4"), tmp_path, reason)


def test_a_space_file_that_cannot_run(search_here: Command, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0")
    run = search_here("--space", "broken.py")
    assert run.status == 2
    assert "ZeroDivisionError" in run.err
    assert "Traceback" not in run.err


@pytest.mark.ray
@pytest.mark.parametrize("more", [(), ("--concurrent", "1")], ids=["", "concurrent"])
def test_workers_that_do_not_fit(search: Command, tmp_path: Path, more: tuple[str, ...]) -> None:
    run = search(*GRID, "--workers", "32", *more)
    assert run.status == 2, run.err
    assert "--workers 32 needs 1 CPU for each worker" in run.err
    assert "the cluster has room for" in run.err
    assert not (tmp_path / "ban_runs" / "searches" / "densenet_grid").exists()


def test_help_and_list_name_every_space(search_here: Command) -> None:
    import search_spaces

    listed = search_here("--list").out
    folder = Path(search_spaces.__path__[0])
    assert {line.split()[0] for line in listed.splitlines()} == {
        file.stem for file in folder.glob("*.py") if file.stem != "__init__"
    }
    assert search_here("--help").status == 0


@pytest.mark.usefixtures("without_measuring")
def test_a_plan_writes_nothing(search_here: Command, tmp_path: Path) -> None:
    run = search_here(*GRID, "--plan", "--json")
    assert run.status == 0
    assert run.json["distinct_generations"] == 48
    assert run.json["to_train"] == 48
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("without_measuring")
def test_the_paper_scale_asks_without_a_terminal(search_here: Command, tmp_path: Path) -> None:
    rows = tmp_path / "data"
    rows.mkdir()
    generator = np.random.default_rng(0)
    for part in ("train", "test"):
        images = encoded(generator.integers(0, 256, (200, 32, 32, 3), np.uint8))
        pq.write_table(pa.table({"img": images, "fine_label": list(range(100)) * 2}), rows / f"{part}.parquet")
    run = search_here(*GRID, "--scale", "paper", "--data", str(rows))
    assert run.status == 2
    assert "--yes" in run.err
    spec = resolve(SearchOptions(space="densenet_grid", scale="paper", data=str(rows)))
    chains = [planned.chain for planned in spec.chains]
    assert [chain.network for chain in chains] == [
        "densenet-bc-112-33",
        "densenet-bc-90-60",
        "densenet-bc-80-80",
        "densenet-bc-80-120",
    ]
    assert [len(chain.keys) for chain in chains] == [4, 4, 4, 3]
    assert not (tmp_path / "ban_runs" / "population").exists()
