"""``python -m tests.search.simulated_search STORAGE SAMPLES EPOCH_S``: a search on simulated curves, as JSON."""

import os
import sys
from pathlib import Path

from ban_ray.cluster import WorkerGroup
from ban_ray.population import find_storage
from ban_ray.runtime.messages import JobResult, TrainingJob
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.search import search
from ban_ray.storage.identity import mismatch
from tests.benchmarks import simulator

SPACE = str(Path(simulator.__file__).with_name("simulated_space.py"))


class Simulator(simulator.Simulator):
    """Fails where the order does not say which storage the search was started with."""

    def __call__(
        self, order: TrainingJob, group: WorkerGroup, report: simulator.Report, *, name: str, folder: str
    ) -> JobResult:
        wrong = mismatch(find_storage(order.storage), order.storage_id)
        assert not wrong, wrong
        return super().__call__(order, group, report, name=name, folder=folder)


def main(storage: str, samples: int, epoch_s: float, concurrent: int | None = None) -> None:
    # Tune's workers find the simulator as this process did.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
    choices = SearchOptions(
        space=SPACE, samples=samples, storage=storage, concurrent=concurrent, minimise="error,parameters", as_json=True
    )
    search(choices, train=Simulator(noise=0.3, epoch_s=epoch_s))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), *map(int, sys.argv[4:]))
