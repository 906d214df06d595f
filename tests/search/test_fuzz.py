"""Random command lines: each ends in a plan, a run, or one sentence with status 2."""

import random
import shlex
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from ban_ray.search.__main__ import main

SPACES = [
    *("densenet_grid", "match_resnet", "match_densenet", "objectives", "cifar10", "wide_resnet_teachers", "chain"),
    *(
        "densenet_search",
        "match_resnet_widths",
        "population_search",
        "recipe_search",
        "language_models",
        "does_it_help",
    ),
    *("nothing", "", "../secrets", "no.py", "-1", "é"),
]
NETWORKS = [
    *("densenet-bc-10-4", "wide-resnet-10-1", "match-wide-resnet-1-1@densenet-bc-16-8", "densenet-bc-9-4", "resnet"),
    *("densenet-bc-100000-4", "densenet-bc-10-0", "os:getcwd", "no_module:build", "torchvision:none", ":", "a:b:c"),
]
VALUES: dict[str, list[str]] = {
    "--space": SPACES,
    "--only": ["depth=16", "objective=label, all epochs", "objective=ban,depth=22", "depth", "=", ","],
    "--scale": ["laptop", "paper", "huge"],
    "--task": ["digits", "cifar100", "folder", "fashion_mnist", "mnist", ""],
    "--data": [".", "/nowhere", "", "/etc/hostname"],
    "--image-size": ["8", "8x8", "0", "x", "-3", "999999"],
    "--label-column": ["label", ""],
    "--label-noise": ["0", "0.3", "1", "1.1", "-0.1", "nan", "x"],
    "--noise-kind": ["uniform", "pair", "asymmetric", "x"],
    "--split-seed": ["0", "7", "-1", "1e3", "99999999999999999999"],
    "--protocol": ["search", "paper", "none"],
    "--generations": ["0", "1", "3", "-1", "1.5", "200"],
    "--epochs": ["1", "2", "0", "-5", "1000000", "ten"],
    "--batch-size": ["1", "7", "64", "0", "300", "301", "1000000"],
    "--objective": ["ban", "ban+l", "cwtm", "dkpp", "label", "ban:temperature=4", "ban:temperature=0", "kd", "ban:"],
    "--network": NETWORKS,
    "--network-args": ["{}", '{"width": 2}', "[]", "{", "null"],
    "--network-version": ["1", ""],
    "--pretrained": ["default", "0123456789ab", "file.txt", ".", "no.safetensors", ""],
    "--teacher": ["parent", "best", "best:parameters=5", "0123456789ab", "generations:0123456789ab", "worst"],
    "--teacher-cache": ["1GiB", "50MB", "1kB", "0", "-1", "much", "", "1e400GB", "nan"],
    "--precision": ["fp32", "bf16", "tf32", "fp8"],
    "--seeds": ["0", "0,1", "0,0", "-1", "", "a", "1,", "99999999999999999999999"],
    "--workers": ["1", "2", "3", "0", "64"],
    "--cpus-per-worker": ["1", "0"],
    "--gpus-per-worker": ["0", "0.25", "-1", "nan", "inf"],
    "--concurrent": ["1", "0"],
    "--name": ["mine", "../up", "", ".hidden", "a b", "x" * 200],
    "--tokens": ["word", "char", "byte"],
    "--sampler": ["grid", "random", "tpe", "nsga2", "gp", "cma", ""],
    "--samples": ["1", "3", "0", "-1", "many", "100000000"],
    "--minimise": ["error", "error,parameters", "parameters", "error,error", "loss", ""],
    "--minimize": ["error", "loss"],
    "--target": ["last", "best", "ensemble", "first"],
    "--recipe": ["vit-small", "wide-resnet", "lstm", "none", ""],
    "--patience": ["2", "1", "0", "-1", "x"],
    "--min-gain": ["0", "0.5", "-1", "nan", "inf"],
    "--time-budget": ["30m", "2h", "0", "-5", "soon", "1e400"],
    "--budget": ["12x", "1.5x", "0.5x", "x", "12", "1e9x", "9999999x"],
    "--max-parameters": ["30000", "1", "0", "-1"],
    "--max-generations-trained": ["5", "0", "-1"],
    "--working-dir": [".", "nowhere", "file.txt", ""],
    "--storage": ["runs", "/proc/nothing", "", "s3://", "ftp://x/y", "file.txt"],
    "--set": [
        "recipe.learning_rate=0.01",
        "recipe.epochs=2",
        "objective.temperature=4",
        "recipe.lr=1",
        "x",
        "=",
        "a.b=c",
    ],
    "--search": ["recipe.weight_decay=1e-4..1e-1:log", "recipe.batch_size=16..64", "recipe.epochs=2,3", "x", "a=1..2"],
    "--config": ["file.txt", "none.toml", ".", ""],
}
FIELDS = [
    *("recipe.epochs", "recipe.batch_size", "recipe.learning_rate", "recipe.learning_rate_drops", "recipe.momentum"),
    *("recipe.weight_decay", "recipe.precision", "recipe.workers", "recipe.unroll", "recipe.clip", "recipe.plateau"),
    *("recipe.teacher_outputs", "objective.name", "objective.temperature", "objective.label_weight"),
    *("objective.label_smoothing", "task.label_noise", "task.fingerprint", "recipe", "recipe.", ".", "recipe.epochs.x"),
    *(
        "learning_rate",
        "recipe.Learning_rate",
        "recipe.learning rate",
        "__class__",
        "recipe.__dict__",
        "recipe.model_fields",
    ),
]
USABLE_FIELDS = [
    *("--set=recipe.learning_rate=0.01", "--set=recipe.learning_rate_drops=0.5,0.75", "--set=recipe.clip=none"),
    *("--set=objective.temperature=4", "--set=recipe.epochs=3", "--set=recipe.momentum=0", "--set=recipe.batch_size=6"),
    *(
        "--search=recipe.learning_rate=0.01..0.3:log",
        "--search=recipe.batch_size=16..64:log",
        "--search=recipe.clip=1..5",
    ),
    *(
        "--search=recipe.weight_decay=0..1:step=0.1",
        "--search=recipe.precision=fp32,bf16",
        "--search=recipe.epochs=2,3",
    ),
    *("--search=recipe.learning_rate_drops=[0.5],[0.3,0.6]", "--search=objective.name=ban,cwtm"),
    *("--search=objective.temperature=1..8", "--search=recipe.momentum=0.5..0.9"),
]
ENDS = [
    *("0", "1", "2", "32", "64", "0.5", "0.01", "1e-4", "1e-1", "-1", "1e400", "nan", "inf", "1_000", "9" * 30, "none"),
    *(
        "null",
        "true",
        "",
        " ",
        "fp32",
        "bf16",
        "tf32",
        "fp8",
        "ban",
        "ban+l",
        "cwtm",
        "label",
        "kd",
        "[0.5]",
        "[[",
        "{}",
    ),
    *('{"a": 1}', '"x"', "é", "..", ":", ",", "=", "\x00", "'"),
]
USABLE: dict[str, list[str]] = {
    "--label-noise": ["0", "0.3"],
    "--split-seed": ["0", "7"],
    "--protocol": ["search", "paper"],
    "--generations": ["0", "1", "3"],
    "--epochs": ["1", "2"],
    "--batch-size": ["6", "60"],
    "--precision": ["fp32", "bf16"],
    "--seeds": ["0", "0,1"],
    "--workers": ["1", "2", "3"],
    "--concurrent": ["1"],
    "--teacher-cache": ["1GiB"],
    "--name": ["mine"],
    "--storage": ["runs"],
}
FLAGS = [
    *("--json", "--yes", "--download", "--retry-failed", "--keep-unfinished", "--stopping", "--no-stopping"),
    *("--recompute", "--compile", "--deterministic", "--no-cuda-graph", "--no-such-option"),
    *("--skip-bad", "--flip", "--no-flip"),
]
NOT_TYPED = {"--list", "--plan", "--address", "--help", "-h"}
"""Ends before anything else, or typed always; what --address refuses is tested in tests/search/test_bad_input.py."""

TINY = (
    {"--space": "chain", "--network": "densenet-bc-10-4", "--epochs": "1", "--generations": "1", "--seeds": "0"},
    {"--space": "densenet_search", "--samples": "2", "--epochs": "1", "--generations": "1", "--seeds": "0"},
)
MANY = ("100000000",)
"""Chains without end where the rest of the line allows them."""

choices = st.fixed_dictionaries(
    {"--space": st.sampled_from(SPACES)},
    optional={option: st.sampled_from(values) for option, values in VALUES.items() if option != "--space"},
)
usable = st.fixed_dictionaries(
    {"--space": st.sampled_from([*SPACES[:6], *SPACES[7:11], "densenet_grid"])},
    optional={option: st.sampled_from(values) for option, values in USABLE.items()},
)
one_wrong = st.builds(
    lambda chosen, wrong: {**chosen, wrong[0]: wrong[1]},
    usable,
    st.sampled_from([(option, value) for option, values in VALUES.items() for value in values]),
)
typed = st.one_of(
    usable,
    one_wrong,
    choices,
    st.fixed_dictionaries(
        {"--space": st.sampled_from(SPACES[:12])},
        optional={option: st.text(max_size=12) for option in ("--objective", "--seeds", "--name", "--teacher")},
    ),
)


def test_every_option_is_typed() -> None:
    options = {option for parameter in main.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert options - NOT_TYPED == (VALUES.keys() | set(FLAGS)) - {"--no-such-option"}


def check(arguments: list[str], status: int, out: str, err: str) -> None:
    context = f"{arguments}\n{out}\n{err}"
    assert "Traceback" not in out + err, context
    if status == 0:
        assert "to train" in out + err or "configurations by" in out + err, context
        return
    assert status == 2, context
    sentences = [line for line in err.splitlines() if line.startswith("Error: ")]
    assert len(sentences) == 1, context
    assert len(sentences[0]) > 20, context


def plan_with(chosen: dict[str, str], flags: list[str], folder: Path) -> None:
    arguments = ["--plan", *flags, *(part for option, value in chosen.items() for part in (option, value))]
    (folder / "file.txt").write_text("not a folder")
    with chdir(folder):
        result = CliRunner().invoke(main, arguments)
        event(f"exit status {result.exit_code}")
        error: Any = result.exception
        assert error is None or isinstance(error, SystemExit), f"{arguments}: {error!r}"
        check(arguments, result.exit_code, result.stdout, result.stderr)
        assert [path.name for path in Path.cwd().iterdir()] == ["file.txt"], f"{arguments} wrote something"


ends = st.sampled_from(ENDS)
values = st.one_of(
    ends,
    st.lists(ends, min_size=2, max_size=4).map(",".join),
    st.builds(
        lambda low, high, scale: f"{low}..{high}{scale}",
        ends,
        ends,
        st.sampled_from(["", ":log", ":step=1", ":step=0.1", ":step=0", ":step=x", ":log:log", ":", ":step=1e-9"]),
    ),
    st.text(max_size=8),
)
fields = st.one_of(
    st.sampled_from(USABLE_FIELDS),
    st.builds(
        lambda option, name, value: f"{option}={name}={value}",
        st.sampled_from(["--set", "--search"]),
        st.one_of(st.sampled_from(FIELDS[:12]), st.sampled_from(FIELDS), st.text(max_size=8)),
        values,
    ),
)
spaces_of_fields = st.sampled_from(
    [
        *("chain --network densenet-bc-10-4", "chain --network lstm-1-8 --task python_docs", "recipe_search"),
        *("does_it_help --network densenet-bc-10-4", "densenet_search", "densenet_grid --epochs 2", "objectives"),
        *(
            "match_resnet_widths --objective ban",
            "language_models",
            "wide_resnet_teachers --workers 2 --protocol paper",
        ),
    ]
)


def plan_with_fields(space: str, typed_fields: list[str], folder: Path) -> None:
    with chdir(folder):
        result = CliRunner().invoke(main, ["--plan", *shlex.split(f"--space {space}"), *typed_fields])
        event(f"exit status {result.exit_code}")
        assert result.exception is None or isinstance(result.exception, SystemExit), (
            f"{space} {typed_fields}: {result.exception!r}"
        )
        check([space, *typed_fields], result.exit_code, result.stdout, result.stderr)
        assert not list(Path.cwd().iterdir()), f"{typed_fields} wrote something"


suppressed = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=150, deadline=None, suppress_health_check=suppressed)
@given(chosen=typed, flags=st.lists(st.sampled_from(FLAGS), max_size=2, unique=True))
def test_a_command_line_ends_in_a_plan_or_a_sentence(
    chosen: dict[str, str], flags: list[str], tmp_path: Path, without_measuring: None
) -> None:
    plan_with(chosen, flags, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=2000, deadline=None, suppress_health_check=suppressed, derandomize=True)
@given(chosen=typed, flags=st.lists(st.sampled_from(FLAGS), max_size=2, unique=True))
def test_two_thousand_command_lines(
    chosen: dict[str, str], flags: list[str], tmp_path: Path, without_measuring: None
) -> None:
    plan_with(chosen, flags, tmp_path)


@settings(max_examples=150, deadline=None, suppress_health_check=suppressed)
@given(space=spaces_of_fields, typed_fields=st.lists(fields, min_size=1, max_size=3))
def test_fields_end_in_a_plan_or_a_sentence(
    space: str, typed_fields: list[str], tmp_path: Path, without_measuring: None
) -> None:
    plan_with_fields(space, typed_fields, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=2000, deadline=None, suppress_health_check=suppressed, derandomize=True)
@given(space=spaces_of_fields, typed_fields=st.lists(fields, min_size=1, max_size=3))
def test_two_thousand_lines_of_fields(
    space: str, typed_fields: list[str], tmp_path: Path, without_measuring: None
) -> None:
    plan_with_fields(space, typed_fields, tmp_path)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(3600)
def test_fifty_tiny_runs(tmp_path: Path, environment: dict[str, str]) -> None:
    rng = random.Random(0)
    (tmp_path / "file.txt").write_text("not a folder")
    ended: list[int] = []
    while len(ended) < 50:
        chosen = dict(TINY[len(ended) % 5 == 0])
        values = USABLE if len(ended) % 2 else VALUES
        for option in rng.sample([o for o in values if o not in ("--space", "--scale", "--storage")], 2):
            chosen[option] = rng.choice(values[option])
        if chosen["--generations"] == "200" or chosen["--epochs"] == "1000000" or chosen.get("--samples") in MANY:
            continue
        arguments = [part for option, value in chosen.items() for part in (option, value)]
        done = subprocess.run(
            [sys.executable, "-m", "ban_ray.search", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        check(arguments, done.returncode, done.stdout, done.stderr)
        ended.append(done.returncode)
    assert {0, 2} <= set(ended)
    assert ended.count(0) > 10
