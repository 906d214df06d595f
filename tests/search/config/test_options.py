"""Every option of a search, declared once: in help, on the command line and as an argument."""

import pytest
from click.testing import CliRunner

from ban_ray.cli.params import Option
from ban_ray.search.__main__ import main
from ban_ray.search.config.options import SearchOptions
from tests.helpers.command import Command

GROUPS = [
    *("Search", "Data", "Training", "Networks and teachers", "Sampling and stopping", "Execution", "Output"),
]


def test_help_has_the_groups_in_their_order_and_every_option() -> None:
    text = CliRunner().invoke(main, ["--help"]).stdout
    positions = [text.index(f"\n{group}:\n") for group in GROUPS]
    assert positions == sorted(positions)
    for name, field in SearchOptions.model_fields.items():
        for option in (item for item in field.metadata if isinstance(item, Option)):
            assert option.group in GROUPS
            assert f"{option.name(name)}" in text
            assert option.help.endswith((".", "]")), f"{name}: {option.help}"


@pytest.mark.parametrize("spelling", ["--minimise", "--minimize"])
def test_both_spellings_are_refused_alike(search_here: Command, spelling: str) -> None:
    run = search_here("--space", "densenet_search", spelling, "loss")
    assert run.status == 2
    assert "Error: --minimise 'loss' is not allowed; give error, optionally with parameters and multiply-" in run.err


@pytest.mark.usefixtures("without_measuring")
@pytest.mark.parametrize("spelling", ["--minimise", "--minimize"])
def test_both_spellings_minimise(search_here: Command, spelling: str) -> None:
    run = search_here("--space", "densenet_search", spelling, "error,parameters", "--plan")
    assert run.status == 0, run.err
    assert "minimised: error, parameters" in run.out


def test_values_have_types_of_their_own() -> None:
    options = SearchOptions.model_validate(
        {"space": "chain", "seeds": "2,0", "image_size": (8, 9), "network_args": '{"a": 1}', "teacher_cache": "2GiB"}
    )
    assert options.seeds == (2, 0)
    assert options.image_size == "8x9"
    assert options.network_args == {"a": 1}
    assert options.teacher_cache == 2**31
