"""Everything that was typed."""

from dataclasses import dataclass

from ban_ray.search.config.choices import Options


@dataclass(frozen=True)
class SearchOptions(Options):
    """Options of a search and of its execution."""

    plan_only: bool = False
    yes: bool = False
    concurrent: int | None = None
    cpus_per_worker: int = 1
    gpus_per_worker: float | None = None
    storage: str = "./ban_runs"
    name: str | None = None
    address: str | None = None
    working_dir: str | None = None
    retry_failed: bool = False
    keep_unfinished: bool = False
    as_json: bool = False
    command: str = ""
