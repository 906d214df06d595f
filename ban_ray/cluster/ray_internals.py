"""Every private name of Ray that this project uses, and why; a test checks that each still exists.

Ray reads its environment when it is imported, so each function imports what it needs.
"""

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any, Self

UNUSED_CALLBACKS = {"DatasetsCallback", "PlacementGroupCleanerCallback"}
"""Callbacks of Ray Train that start helper processes without a task here."""


def train_function_trainable(function: Callable[..., Any]) -> type[Any]:
    """Tune's trainable of a function, to be subclassed: only a class can say what it reserves and how it ends."""
    from ray.tune.trainable import wrap_function

    trainable: type[Any] = wrap_function(function)
    return trainable


def raise_idle_actor_limit(tune_controller: Any, trial: Any, count: int) -> None:
    """Let Tune keep so many more idle processes: by itself it keeps one, ends the others and starts as many anew."""
    for _ in range(count):
        tune_controller._actor_cache.increase_max(trial.placement_group_factory)


def data_parallel_trainer() -> type[Any]:
    """The trainer beneath `TorchTrainer`, without the import of PyTorch, which takes 2 to 3 s."""
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    trainer: type[Any] = DataParallelTrainer
    return trainer


class InProcessController:
    """The control loop of a Ray Train run in a thread of this process, where Train starts an actor for it.

    The actor would be one more process that imports Ray Train, and Ray offers no way to end its run from outside.
    """

    def __init__(self) -> None:
        self._is_aborted = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def trainer_class(self, base: type[Any], *, cluster_may_grow: bool) -> type[Any]:
        """A trainer whose run is controlled here.

        Helpers without a task are left out: that which hands out Ray Data sets, that which looks for placement groups
        whose controller has died (`ban_ray.cluster.orphaned_groups` does), and, where no node can be added, that which
        asks an autoscaler.

        Args:
            cluster_may_grow: whether an autoscaler may add nodes.
        """
        from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
        from ray.train.v2.api import data_parallel_trainer as v2

        class UnannouncedScalingPolicy(FixedScalingPolicy):
            def after_controller_start(self, train_run_context: Any) -> None:
                pass

            def _maybe_send_resource_request(self) -> None:
                pass

        in_process = self

        class Trainer(base):
            def _create_default_callbacks(self) -> list[Any]:
                callbacks = super()._create_default_callbacks()
                return [callback for callback in callbacks if type(callback).__name__ not in UNUSED_CALLBACKS]

            def _initialize_and_run_controller(self, **arguments: Any) -> Any:
                if not cluster_may_grow:
                    arguments["scaling_policy"] = UnannouncedScalingPolicy(self.scaling_config)
                controller = v2.TrainController(**arguments)
                asyncio.run(in_process._run(controller))
                return controller.get_result()

        return Trainer

    async def _run(self, controller: Any) -> None:
        self._task, self._loop = asyncio.create_task(controller.run()), asyncio.get_running_loop()
        if self._is_aborted:
            self._task.cancel()
        try:
            await self._task
        finally:
            # Only this thread may touch the group: the control loop may be in the middle of its start or of a poll.
            if (worker_group := controller.get_worker_group()) is not None and worker_group.has_started():
                worker_group.abort()

    def abort(self) -> None:
        """End the run and its workers as soon as its control loop waits; `fit` raises `asyncio.CancelledError`."""
        self._is_aborted = True
        if self._loop is not None and self._task is not None:
            # The loop may have ended meanwhile.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._task.cancel)


def worker_patching_callback(name: str) -> Any:
    """A callback of Ray Train that shows its workers under a name on the dashboard's page of actors.

    It also keeps Train from starting the actor at which workers wait for each other's reports to Train, of which none
    are made here.
    """
    from ray.train.v2._internal.execution.callback import WorkerGroupCallback

    class NoActor:
        """Stands in for the class of that actor, and for its handle."""

        def options(self, **options: Any) -> Self:
            return self

        def remote(self, **arguments: Any) -> Self:
            return self

    class PatchWorkers(WorkerGroupCallback):
        def before_worker_group_start(self, worker_group_context: Any) -> None:
            from ray.train.v2._internal.execution.worker_group import state, worker_group

            class RayTrainWorker(worker_group.RayTrainWorker):
                def __repr__(self) -> str:
                    return name

            # The dashboard shows this class name.
            RayTrainWorker.__qualname__ = RayTrainWorker.__name__
            worker_group.WorkerGroup._worker_cls = RayTrainWorker
            worker_group.SynchronizationActor = NoActor()
            state._shutdown_sync_actor = lambda actor: None

    return PatchWorkers()


def autoscaler_config() -> Any:
    """What an autoscaler has told Ray of the nodes that it may add."""
    from ray._private.state import state

    return state.get_cluster_config()


def is_of_job(placement_group_id: str, job_id: str) -> bool:
    """Whether a placement group belongs to a job, both in hexadecimal digits: its id ends in the job's."""
    return placement_group_id.endswith(job_id)


@contextmanager
def loopback_only() -> Iterator[None]:
    """Have a cluster that is started meanwhile listen on the loopback interface alone, unless the environment decides.

    Ray does so by itself on Windows and macOS. Elsewhere it turns 127.0.0.1 into an address that other machines reach,
    also where it is told to use it for a node or to connect to it, and serves in part without a token.
    """
    from ray._private import ray_constants as constants

    if constants.ENABLE_RAY_CLUSTERS_ENV_VAR in os.environ:
        yield
        return
    enabled = constants.ENABLE_RAY_CLUSTER
    os.environ[constants.ENABLE_RAY_CLUSTERS_ENV_VAR], constants.ENABLE_RAY_CLUSTER = "0", False
    try:
        yield
    finally:
        del os.environ[constants.ENABLE_RAY_CLUSTERS_ENV_VAR]
        constants.ENABLE_RAY_CLUSTER = enabled


@contextmanager
def helpers_in_background() -> Iterator[Callable[[], str | None]]:
    """Have a cluster that is started meanwhile take its first tasks before its helpers are up, which takes 3 s.

    The dashboard is not waited for. It, the autoscaler's monitor and the monitor of logs leave the processors to the
    processes that training waits for.

    Yields:
        A function that waits for the dashboard and returns its ``HOST:PORT``, or None if it did not start.
    """
    from ray._private import ray_constants as constants
    from ray._private import services
    from ray._private.node import Node

    helpers = {
        constants.PROCESS_TYPE_DASHBOARD,
        constants.PROCESS_TYPE_LOG_MONITOR,
        constants.PROCESS_TYPE_MONITOR,
    }
    dashboard: Future[str | None] = Future()
    start_process, start_api_server = services.start_ray_process, Node.start_api_server
    nice = shutil.which("nice")

    def start_helper(command: list[str], process_type: str, *arguments: Any, **options: Any) -> Any:
        prefix = [nice, "-n", "10"] if nice and process_type in helpers else []
        return start_process([*prefix, *command], process_type, *arguments, **options)

    def start_dashboard(node: Any, **options: Any) -> None:
        try:
            start_api_server(node, **options)
            dashboard.set_result(node.webui_url)
        except Exception:  # noqa: BLE001
            # A search does without; Ray's log has the reason.
            dashboard.set_result(None)
        # The system ends a process of Ray's with the thread that has started it.
        threading.Event().wait()

    def start_in_thread(node: Any, **options: Any) -> None:
        threading.Thread(
            target=start_dashboard, args=(node,), kwargs=options, name="Ray dashboard", daemon=True
        ).start()

    services.start_ray_process, Node.start_api_server = start_helper, start_in_thread
    try:
        yield dashboard.result
    finally:
        services.start_ray_process, Node.start_api_server = start_process, start_api_server
