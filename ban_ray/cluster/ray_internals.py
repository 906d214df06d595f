"""Every private name of Ray that this project uses, and why; a test checks that each still exists.

Ray reads its environment when it is imported, so each function imports what it needs.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def train_function_trainable(function: Callable[..., Any]) -> type[Any]:
    """Tune's trainable of a function, to be subclassed: only a class can say what it reserves and how it ends."""
    from ray.tune.trainable import wrap_function

    trainable: type[Any] = wrap_function(function)
    return trainable


def keep_actors(tune_controller: Any, trial: Any, count: int) -> None:
    """Let Tune keep so many more idle processes: by itself it keeps one, ends the others and starts as many anew."""
    for _ in range(count):
        tune_controller._actor_cache.increase_max(trial.placement_group_factory)


def data_parallel_trainer() -> type[Any]:
    """The trainer beneath `TorchTrainer`; its controller does not import PyTorch, which takes 2 to 3 s."""
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    trainer: type[Any] = DataParallelTrainer
    return trainer


def trainer_with_controller(base: type[Any], mixin: type[Any], name: str, on_start: Callable[[Any], None]) -> type[Any]:
    """A trainer whose controller, the actor that runs the control loop, can do more and can be reached.

    Ray offers no way to end a run from outside, nor to speak with its workers. The trainer has no actor that hands out
    Ray Data sets, of which there are none: a process less for each run.

    Args:
        mixin: a base of the controller's class; `run` and ``__init__`` are passed on to Train's.
        name: of the actor, for `ray.get_actor`.
        on_start: called with the actor.
    """
    import ray
    from ray.train.v2.api import data_parallel_trainer as v2

    class TrainController(mixin, v2.TrainController):
        pass

    # The dashboard shows this class name.
    TrainController.__qualname__ = TrainController.__name__

    class Trainer(base):
        def _create_default_callbacks(self) -> list[Any]:
            callbacks = super()._create_default_callbacks()
            return [callback for callback in callbacks if type(callback).__name__ != "DatasetsCallback"]

        def _initialize_and_run_controller(self, **arguments: Any) -> Any:
            environment = v2.get_env_vars_to_propagate()
            environment.setdefault(
                v2.RAY_WARN_BLOCKING_GET_INSIDE_ASYNC_ENV_VAR, v2.DEFAULT_RAY_WARN_BLOCKING_GET_INSIDE_ASYNC_VALUE
            )
            # A controller of a lost node would be lost with it: it shares the fate of its driver.
            here = {ray._raylet.RAY_NODE_ID_KEY: ray.get_runtime_context().get_node_id()}
            actor = ray.remote(num_cpus=0, label_selector=here, runtime_env={"env_vars": environment})
            controller = actor(TrainController).options(name=name).remote(**arguments)
            on_start(controller)
            ray.get(controller.run.remote())
            return ray.get(controller.get_result.remote())

    return Trainer


def propagate_to_train(variable: str) -> None:
    """Give an environment variable to the processes of Ray Train."""
    from ray.train.v2._internal import constants

    constants.ENV_VARS_TO_PROPAGATE.add(variable)


def worker_naming_callback(name: str) -> Any:
    """A callback of Ray Train that shows its workers under a name on the dashboard's page of actors."""
    from ray.train.v2._internal.execution.callback import WorkerGroupCallback

    class NameWorkers(WorkerGroupCallback):
        def before_worker_group_start(self, worker_group_context: Any) -> None:
            from ray.train.v2._internal.execution import worker_group

            class RayTrainWorker(worker_group.RayTrainWorker):
                def __repr__(self) -> str:
                    return name

            # The dashboard shows this class name.
            RayTrainWorker.__qualname__ = RayTrainWorker.__name__
            worker_group.WorkerGroup._worker_cls = RayTrainWorker

    return NameWorkers()


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
