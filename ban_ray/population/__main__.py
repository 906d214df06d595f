"""``python -m ban_ray.population``: list, check, import, export and remove members."""

import click

from ban_ray.cli.entry import reports_errors, run
from ban_ray.population.commands.export import export
from ban_ray.population.commands.import_ import import_command
from ban_ray.population.commands.ls import ls
from ban_ray.population.commands.replay import replay
from ban_ray.population.commands.rm_gc import gc, rm
from ban_ray.population.commands.show import show
from ban_ray.population.commands.verify import verify_command


@reports_errors()
@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Members of a population: trained generations that can teach."""


for command in (ls, show, verify_command, replay, import_command, export, rm, gc):
    main.add_command(command)


if __name__ == "__main__":
    run(main, "ban_ray.population")
