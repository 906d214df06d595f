"""Private names of Ray and Optuna that are used here: each is still there and does what is relied on.

A red line after an upgrade, where else a search would hang, or take a process or CPUs too many, in silence. No cluster
is started.
"""

import ast
import inspect
import os
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
import ray
from optuna.trial import TrialState, create_trial
from ray import train, tune
from ray._private import ray_constants, services
from ray._private.node import Node
from ray.train.torch import TorchTrainer
from ray.train.v2._internal.execution.callback import ControllerCallback, WorkerGroupCallback
from ray.train.v2._internal.execution.checkpoint.sync_actor import SynchronizationActor
from ray.train.v2._internal.execution.controller.controller import TrainController
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
from ray.train.v2._internal.execution.worker_group import RayTrainWorker, WorkerGroup, state, worker_group
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
from ray.tune.execution.tune_controller import TuneController
from ray.tune.trainable import wrap_function
from ray.tune.utils.object_cache import _ObjectCache

from ban_ray.cluster.ray_internals import UNUSED_CALLBACKS, loopback_only

OURS = Path(__file__).parents[2] / "ban_ray"
RAYS = Path(ray.__file__).parent
ASKING = (("_maybe_send_resource_request", ["self"]),)


@pytest.fixture(autouse=True, scope="module")
def no_cluster() -> object:
    yield
    assert not ray.is_initialized()


def parameters(function: Callable[..., object]) -> list[str]:
    return list(inspect.signature(function).parameters)


def assigned(kind: type) -> dict[str, str]:
    """What a class gives its attributes when it is made, as source text."""
    made = ast.parse(textwrap.dedent(inspect.getsource(kind.__init__)))  # type: ignore[misc]
    return {
        target.attr: ast.unparse(node.value)
        for node in ast.walk(made)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute)
    }


class TestTune:
    def test_idle_processes_are_in_a_cache(self) -> None:
        assert assigned(TuneController)["_actor_cache"].startswith("_ObjectCache(")

    def test_the_scheduler_is_asked_in_every_turn(self) -> None:
        assert "self._maybe_add_actors()" in inspect.getsource(TuneController.step)
        assert "self._scheduler_alg.choose_trial_to_run(" in inspect.getsource(TuneController._maybe_add_actors)

    def test_as_many_processes_are_kept_as_the_cache_is_told(self) -> None:
        cache = _ObjectCache(may_keep_one=True)
        for _ in range(2):
            cache.increase_max("a driver's resources")
        assert [cache.cache_object("a driver's resources", number) for number in range(3)] == [True, True, False]

    def test_a_functions_trainable_is_a_class_that_cleans_up(self) -> None:
        def walk(config: dict[str, object]) -> None: ...

        made = wrap_function(walk)
        assert issubclass(made, tune.Trainable)
        assert parameters(made.cleanup) == ["self"]
        assert parameters(made.default_resource_request) == ["config"]


class TestTrain:
    @pytest.mark.parametrize("kind", [DataParallelTrainer, TorchTrainer])
    def test_a_trainers_callbacks(self, kind: type[DataParallelTrainer]) -> None:
        """Those that are left out are known by their classes' names; callbacks of the run are among the others."""

        class Known(ControllerCallback, WorkerGroupCallback): ...  # type: ignore[misc]

        known = Known()
        trainer = kind(
            lambda: None,
            scaling_config=train.ScalingConfig(num_workers=1),
            run_config=train.RunConfig(callbacks=[known]),
        )
        callbacks = trainer._create_default_callbacks()
        assert set(UNUSED_CALLBACKS) <= {type(callback).__name__ for callback in callbacks}
        assert known in callbacks

    def test_callbacks_are_called_with(self) -> None:
        assert parameters(ControllerCallback.after_controller_start) == ["self", "train_run_context"]
        assert parameters(WorkerGroupCallback.before_worker_group_start) == ["self", "worker_group_context"]

    def test_workers_are_made_of_the_groups_class_for_them(self) -> None:
        assert TrainController.worker_group_cls is WorkerGroup
        assert WorkerGroup._worker_cls is RayTrainWorker
        assert "(self._worker_cls)" in inspect.getsource(WorkerGroup)

    def test_a_controller_is_made_of_its_trainers_arguments_and_runs_in_an_event_loop(self) -> None:
        assert inspect.iscoroutinefunction(TrainController.run)
        assert parameters(TrainController.run) == ["self"]
        assert parameters(TrainController.get_result) == ["self"]
        assert parameters(WorkerGroup.abort) == ["self"]
        made = inspect.getsource(DataParallelTrainer._initialize_and_run_controller)
        assert "(TrainController)" in made
        assert ".remote(**controller_init_kwargs)" in made

    def test_a_fixed_policy_asks_an_autoscaler_in_two_methods(self) -> None:
        for name, arguments in (("after_controller_start", ["self", "train_run_context"]), *ASKING):
            assert parameters(getattr(FixedScalingPolicy, name)) == arguments
        decisions = inspect.getsource(FixedScalingPolicy)
        assert "_send_resource_request" not in decisions.replace("_maybe_send_resource_request", "")

    def test_workers_meet_at_an_actor_that_only_reports_use(self) -> None:
        source = inspect.getsource(worker_group)
        assert "SynchronizationActor.options(" in source
        assert parameters(state._shutdown_sync_actor) == ["sync_actor"]
        assert "_shutdown_sync_actor(self.sync_actor)" in inspect.getsource(state.WorkerGroupState.shutdown)
        made = inspect.signature(SynchronizationActor.__ray_metadata__.modified_class.__init__)
        assert {"timeout_s", "warn_interval_s"} <= set(made.parameters)
        called = re.findall(r"sync_actor\.(\w+)\.remote", source)
        assert sorted(called) == ["reset", "set_required_ranks"], "for replica groups and preemption"


class TestCore:
    def test_the_autoscalers_report(self) -> None:
        from ray._private.state import state

        assert parameters(state.get_cluster_config) == []
        from ray.core.generated.autoscaler_pb2 import ClusterConfig, NodeGroupConfig

        group = NodeGroupConfig(resources={"CPU": 8}, max_count=3)
        config = ClusterConfig(node_group_configs=[group], max_resources={"CPU": 16})
        assert dict(config.max_resources) == {"CPU": 16}
        assert [(dict(each.resources), each.max_count) for each in config.node_group_configs] == [({"CPU": 8}, 3)]

    def test_the_id_of_a_placement_group_ends_in_its_jobs(self) -> None:
        job = ray.JobID.from_int(258)
        assert ray.PlacementGroupID.of(job).hex().endswith(job.hex())


def variables_set() -> list[str]:
    """Names of Ray's environment variables in our source."""
    constants_ = (
        node.value
        for file in OURS.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
    )
    return sorted({text for text in constants_ if isinstance(text, str) and re.fullmatch(r"(RAY|TUNE)_[A-Z_]+", text)})


def test_variables_that_are_set_are_read() -> None:
    """Their names are constants of Ray's Python, or are in its library."""
    wanted = variables_set()
    assert {"TUNE_DISABLE_SIGINT_HANDLER", "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "RAY_AIR_NEW_OUTPUT"} <= set(wanted)
    source = "".join(
        file.read_text(encoding="utf-8", errors="replace")
        for room in ("_private", "air", "train", "tune")
        for file in (RAYS / room).rglob("*.py")
        if not {"tests", "examples"} & set(file.parts)
    )
    library = Path(ray._raylet.__file__).read_bytes()
    unknown = [name for name in wanted if not re.search(f"[\"']{name}[\"']", source) and name.encode() not in library]
    assert not unknown


def test_where_ray_has_no_clusters_it_is_on_the_loopback_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR, raising=False)
    before = ray.util.get_node_ip_address()
    with loopback_only():
        assert ray.util.get_node_ip_address() == "127.0.0.1"
        assert os.environ[ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR] == "0"
    assert ray.util.get_node_ip_address() == before
    monkeypatch.setenv(ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR, "1")
    with loopback_only():
        assert ray.util.get_node_ip_address() == before, "the user has decided"


def test_helpers_are_started_by_functions_that_can_be_replaced() -> None:
    assert parameters(services.start_ray_process)[:2] == ["command", "process_type"]
    assert "start_ray_process(" in inspect.getsource(services.start_api_server)
    assert "self.start_api_server(" in inspect.getsource(Node.start_head_processes)
    assert parameters(Node.start_api_server) == ["self", "include_dashboard", "raise_on_failure"]
    assert isinstance(Node.webui_url, property)
    names = ("DASHBOARD", "LOG_MONITOR", "MONITOR")
    assert [getattr(ray_constants, f"PROCESS_TYPE_{name}") for name in names] == ["dashboard", "log_monitor", "monitor"]


class TestOptuna:
    def test_a_trial_is_opened_by_its_number_in_the_storage(self) -> None:
        study = optuna.create_study()
        study.add_trial(create_trial(state=TrialState.RUNNING))
        trial = optuna.Trial(study, study.get_trials(deepcopy=False)[0]._trial_id)
        trial.report(1.5, 3)
        trial.set_user_attr("reason", "a word")
        assert study.trials[0].user_attrs == {"reason": "a word"}
        assert study.trials[0].intermediate_values == {3: 1.5}

    @pytest.mark.parametrize(("noted", "generation"), [({"NSGAIISampler:generation": 0}, 1), ({}, 0)])
    def test_trials_of_a_generation_of_nsga2(self, noted: dict[str, int], generation: int) -> None:
        """Those that were added are parents where they say so."""
        study = optuna.create_study(sampler=optuna.samplers.NSGAIISampler(population_size=4, seed=0))
        distributions: dict[str, optuna.distributions.BaseDistribution] = {
            "x": optuna.distributions.FloatDistribution(0, 1)
        }
        for number in range(4):
            x = number / 4
            study.add_trial(create_trial(value=x, params={"x": x}, distributions=distributions, system_attrs=noted))
        trial = study.ask(distributions)
        assert trial.storage.get_trial(trial._trial_id).system_attrs["NSGAIISampler:generation"] == generation
