"""``python -m ban_ray.population`` in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ban_ray.population import Population
from ban_ray.runtime.worker import JobTrainer
from ban_ray.specs import Generation
from tests.helpers.jobs import ignore_event, make_job

REPOSITORY = Path(__file__).parents[2]
NETWORK = "densenet-bc-10-4"
"""The network whose weights are imported."""
SEARCH = ("--protocol", "search", "--split-seed", "0")


@dataclass(frozen=True)
class Run:
    """A command that has ended."""

    status: int
    out: str
    err: str


Command = Callable[..., Run]


def train(population: Population, generations: tuple[Generation, ...]) -> str:
    """The status of a job that trains some generations, or the message of its failure."""
    result = JobTrainer(torch.device("cpu"), ignore_event).train(make_job(population.storage.url, *generations))
    return result.message or result.status
