"""``python -m ban_ray.search``: search born-again chains."""

import shlex
import signal
import sys
from types import FrameType
from typing import Any

import click

from ban_ray.errors import ClusterLost, DamagedMember, UserError
from ban_ray.tasks.catalog import TASK_TYPES

EXIT_BAD_INPUT = 2
EXIT_CHAINS_FAILED = 3
EXIT_STORAGE = 4
EXIT_CLUSTER = 5
EXIT_INTERRUPTED = 130


def _seeds(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    try:
        return tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of whole numbers such as 0,1,2") from None


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--space", metavar="NAME|FILE.py", help="Search space, by name or file.")
@click.option("--list", "list_spaces", is_flag=True, help="List the spaces and stop.")
@click.option("--plan", "plan_only", is_flag=True, help="Print what would be trained and stop.")
@click.option("--yes", is_flag=True, help="Do not ask before --scale paper.")
@click.option("--scale", type=click.Choice(["laptop", "paper"]), default="laptop", show_default=True)
@click.option("--task", help=f"{', '.join(TASK_TYPES)}; some are embedded.")
@click.option("--data", metavar="DIR", help="Folder with the task's files.")
@click.option("--image-size", metavar="N|HxW", help="Of --task folder, in pixels.")
@click.option("--download", is_flag=True, help="Fetch the task's files into --data where none are there.")
@click.option("--tokens", type=click.Choice(["word", "char"]), help="How a text is read.")
@click.option("--label-column", help="Where the files have the labels, e.g. fine_label.")
@click.option("--label-noise", type=click.FloatRange(0, 1), metavar="P", help="Share of training labels replaced.")
@click.option("--split-seed", type=click.IntRange(0), default=0, show_default=True, help="Chooses the held-out data.")
@click.option("--protocol", type=click.Choice(["search", "paper"]), help="paper trains on held-out data too.")
@click.option("--generations", type=click.IntRange(0), metavar="K", help="Born-again generations after the baseline.")
@click.option("--epochs", type=click.IntRange(1))
@click.option("--batch-size", type=click.IntRange(1), help="Global batch, shared by the workers.")
@click.option("--objective", help="label, ban, ban+l, cwtm, dkpp, with fields: ban:temperature=4.")
@click.option(
    "--teacher",
    default="parent",
    show_default=True,
    metavar="CHOICE",
    help="Of each chain's first generation: parent (labels), KEY, generations:KEY, best, best:parameters=N.",
)
@click.option("--teacher-cache", metavar="SIZE", help="Keep teachers' outputs for further students, up to 2GiB, say.")
@click.option("--network", metavar="NAME", help="Of a space that takes one: NAME, torchvision:NAME or module:function.")
@click.option("--network-args", metavar="JSON", help="Arguments of module:function or torchvision:NAME.")
@click.option("--network-version", metavar="TEXT", help="Your mark of the builder's version; else its code's digest.")
@click.option("--sampler", metavar="NAME", help="grid, random, tpe, nsga2 or gp; by default grid for a list, else tpe.")
@click.option("--samples", type=int, metavar="N", help="Configurations that the sampler makes.")
@click.option("--minimise", metavar="error,parameters", help="Targets: error, parameters, multiply-accumulates.")
@click.option(
    "--target", metavar="last|best|ensemble", help="Whose held-out error a chain stands for; last by default."
)
@click.option(
    "--stopping/--no-stopping", default=None, help="Stop chains across generations; by default unless a grid."
)
@click.option("--patience", type=int, metavar="N", help="Generations without a gain that end a chain; 2 or more.")
@click.option("--min-gain", type=float, metavar="POINTS", help="Of held-out error; a gain is more.  [default: 0]")
@click.option("--time-budget", metavar="TIME", help="Seconds, or 30m, 2h, 1d; what trains then, goes on next time.")
@click.option("--max-parameters", type=int, metavar="N", help="Pass over larger networks.")
@click.option("--max-generations-trained", type=int, metavar="N", help="Train no more; begin no chain beyond it.")
@click.option("--precision", type=click.Choice(["fp32", "tf32", "bf16"]))
@click.option("--seeds", callback=_seeds, metavar="0,1,2", help="Seeds of the chains.")
@click.option("--workers", type=click.IntRange(1), help="Processes that train one generation together.")
@click.option("--cpus-per-worker", type=click.IntRange(1), default=1, show_default=True, help="Threads of a worker.")
@click.option(
    "--gpus-per-worker",
    type=click.FloatRange(0, min_open=False),
    metavar="N",
    help="By default one where the cluster has GPUs; 0.25 packs four generations onto one.",
)
@click.option("--recompute", is_flag=True, help="Dense units keep fewer activations: the same bits in less memory.")
@click.option("--concurrent", type=click.IntRange(1), help="Chains at once; by default as many as fit.")
@click.option("--storage", default="./ban_runs", show_default=True, metavar="DIR", help="Population and searches.")
@click.option("--name", help="Name of the search; by default the space's.")
@click.option(
    "--address", metavar="auto|HOST:PORT", help="A running Ray cluster; by default RAY_ADDRESS, else one of its own."
)
@click.option("--working-dir", metavar="DIR", help="Folder with your own modules, sent to every node.")
@click.option("--retry-failed", is_flag=True, help="Train generations again whose loss was not finite.")
@click.option("--keep-unfinished", is_flag=True, help="Keep the checkpoints of chains that were stopped.")
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object on stdout, the rest on stderr.")
def main(list_spaces: bool, plan_only: bool, **given: Any) -> None:
    """Search chains of born-again networks: a teacher on labels, then generation after generation of students."""
    try:
        if list_spaces:
            _list()
            return
        if given["space"] is None:
            raise UserError("--space is missing; --list names the spaces")
        from ban_ray.search.config.options import SearchOptions
        from ban_ray.search.search import search

        given["command"] = shlex.join(["python", "-m", "ban_ray.search", *sys.argv[1:]])
        finished = search(SearchOptions(plan_only=plan_only, **given))
        sys.exit(EXIT_CHAINS_FAILED if finished is not None and finished.failed else 0)
    except UserError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_BAD_INPUT)
    except DamagedMember as error:
        click.echo(f"Error: {error.advice}; the same command then trains it again", err=True)
        sys.exit(EXIT_STORAGE)
    except OSError as error:
        click.echo(
            f"Error: a file could not be read or written: {error}; what was published stays, and the same command goes "
            "on from here",
            err=True,
        )
        sys.exit(EXIT_STORAGE)
    except ClusterLost as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_CLUSTER)
    except KeyboardInterrupt:
        click.echo("Interrupted; what was published stays, and the same command goes on from here.", err=True)
        sys.exit(EXIT_INTERRUPTED)


def _list() -> None:
    from ban_ray.search.config import spaces

    width = max(map(len, spaces.names()))
    for name in spaces.names():
        click.echo(f"{name:<{width}}  {spaces.load(name).title}")


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    main(prog_name="python -m ban_ray.search")
