"""What a chain adds to the controller of its Ray Train run: it can be reached by its trial, and its workers are named.

Named on the dashboard's page of actors, column "Repr". Runs in the controller's process.
"""

from typing import Any

from ray.train import UserCallback
from ray.train.v2._internal.execution.callback import ControllerCallback, WorkerGroupCallback
from ray.train.v2._internal.execution.worker_group import RayTrainWorker as Worker
from ray.train.v2._internal.execution.worker_group import WorkerGroup

from ban_ray.runtime import controller
from ban_ray.runtime.report_channel import send


class ForwardReports(UserCallback):
    """Passes rank 0's records on to the driver."""

    def __init__(self, address: str) -> None:
        self._address = address

    def after_report(self, run_context: Any, metrics: list[dict[str, Any]], checkpoint: Any) -> None:
        send(self._address, metrics[0])


class RegisterController(ControllerCallback, WorkerGroupCallback):
    """Tells the trial how to reach the controller, and gives the workers a name to be shown."""

    def __init__(self, address: str, name: str) -> None:
        self._address, self._name = address, name

    def after_controller_start(self, train_run_context: Any) -> None:
        send(self._address, controller.own_handle())

    def before_worker_group_start(self, worker_group_context: Any) -> None:
        name = self._name

        class RayTrainWorker(Worker):
            """Ray's own, with a name."""

            def __repr__(self) -> str:
                return name

        # The class that the dashboard shows.
        RayTrainWorker.__qualname__ = RayTrainWorker.__name__
        WorkerGroup._worker_cls = RayTrainWorker
