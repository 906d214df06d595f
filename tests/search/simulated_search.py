"""``python -m tests.search.simulated_search STORAGE SAMPLES EPOCH_S``: a search on simulated curves, as JSON."""

import os
import sys
from pathlib import Path

from ban_ray.cluster import WorkerResources
from ban_ray.population import find_storage
from ban_ray.runtime.events import EventHandler
from ban_ray.runtime.messages import JobResult, TrainingJob
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.search import search
from ban_ray.storage.identity import mismatch
from tests.benchmarks import simulator

SPACE = str(Path(simulator.__file__).with_name("simulated_space.py"))


class Simulator(simulator.Simulator):
    """Fails where the job does not say which storage the search was started with."""

    def __call__(
        self, job: TrainingJob, resources: WorkerResources, on_event: EventHandler, *, name: str, folder: str
    ) -> JobResult:
        wrong_storage = mismatch(find_storage(job.context.storage), job.context.storage_id)
        assert not wrong_storage, wrong_storage
        return super().__call__(job, resources, on_event, name=name, folder=folder)


def main(storage: str, samples: int, epoch_s: float, concurrent: int | None = None) -> None:
    # Tune's workers find the simulator as this process did.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
    options = SearchOptions(
        space=SPACE, samples=samples, storage=storage, concurrent=concurrent, minimise="error,parameters", as_json=True
    )
    search(options, runner=Simulator(noise=0.3, epoch_s=epoch_s))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), *map(int, sys.argv[4:]))
