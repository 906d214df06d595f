"""``python -m ban_ray.networks [NAME ...]``: the cost of networks, beside the counts that the papers print."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import click

from ban_ray.cli.console import Console
from ban_ray.cli.entry import reports_errors, run
from ban_ray.cli.params import json_object
from ban_ray.errors import UserError
from ban_ray.networks.paper_counts import PAPER_COUNTS, PTB_CHARACTERS, PTB_WORDS
from ban_ray.networks.registry import parse


@dataclass(frozen=True)
class Row:
    """One network; the paper's columns are None where no paper prints this network at this input."""

    name: str
    paper_millions: float | None
    parameters: int
    deviation_percent: float | None
    multiply_accumulates: int
    note: str


def measure(
    name: str,
    num_classes: int | None,
    in_channels: int | None,
    size: int | None,
    arguments: Mapping[str, object] | None = None,
) -> Row:
    """Count one network, by default at the papers' classes and channels; `size` is of images, 32 pixels unless given.

    Raises:
        UserError: no such network, it does not take such images, or a size was given for a language model.
    """
    # Here, so that help and misspelt names do not wait for torch.
    from ban_ray.networks.cost import multiply_accumulates

    architecture = parse(name, arguments)
    text = architecture.reads == "text"
    if text and size is not None:
        raise UserError(f"--size {size} has no effect: {architecture.name} is a language model and takes no images")
    side = size or 32
    classes, channels = num_classes or (PTB_WORDS if text else 100), in_channels or (PTB_CHARACTERS if text else 3)
    parameters = architecture.parameters(classes, channels)
    input_row = (architecture.name, classes, channels)
    paper = next((row for row in PAPER_COUNTS if (row.name, row.classes, row.channels) == input_row), None)
    sample_shape = () if text else (side, side, channels)
    return Row(
        name=architecture.name,
        paper_millions=paper.millions if paper else None,
        parameters=parameters,
        deviation_percent=100 * (parameters / (paper.millions * 1e6) - 1) if paper else None,
        multiply_accumulates=multiply_accumulates(name, classes, channels, sample_shape, arguments),
        note=paper.deviation if paper else "",
    )


def _short(number: float) -> str:
    return f"{number:.3f}" if number >= 0.1 else f"{number:.6f}"


def show(rows: Sequence[Row]) -> None:
    """Print the table, whole in 80 columns for names of up to 28 characters."""
    console, lines = Console(), []
    for row in rows:
        paper = "" if row.paper_millions is None else f"{row.paper_millions:g}"
        deviation = "" if row.deviation_percent is None else f"{row.deviation_percent:+.2f} %"
        ours, cost = _short(row.parameters / 1e6), _short(row.multiply_accumulates / 1e9)
        lines.append((row.name, paper, ours, deviation + ("*" if row.note else ""), cost))
    console.table(("network", "paper, M", "ours, M", "deviation", "GMAC"), lines)
    for row in rows:
        if row.note:
            console.say(f"* {row.name}: {row.note}")


@reports_errors()
@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--classes", type=click.IntRange(1, 10**7), help="100 unless given; of language models words, 10000.")
@click.option("--channels", type=click.IntRange(1, 10**7), help="3 unless given; of language models characters, 51.")
@click.option("--size", type=click.IntRange(1, 9999), help="Height and width of images.  [default: 32]")
@click.option(
    "--network-args",
    metavar="JSON",
    help="Arguments of the given package.module:function, timm:MODEL or torchvision:MODEL.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def main(
    names: tuple[str, ...],
    classes: int | None,
    channels: int | None,
    size: int | None,
    network_args: str | None,
    as_json: bool,
) -> None:
    """Parameters and multiply-accumulates of one forward pass of the named networks; of the papers' without names."""
    arguments = json_object("--network-args", network_args)
    chosen = names or tuple(row.name for row in PAPER_COUNTS)
    for name in chosen:  # all, before the first is counted
        parse(name, arguments)
    rows = [measure(name, classes, channels, size, arguments) for name in chosen]
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        show(rows)


if __name__ == "__main__":
    run(main, "ban_ray.networks")
