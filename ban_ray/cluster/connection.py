"""The connection to a Ray cluster, or to one that is started on this machine."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ban_ray.cluster.capacity import NodeShape, capacity
from ban_ray.cluster.ray_internals import helpers_in_background, loopback_only
from ban_ray.errors import ClusterLost, UserError

CONNECT_TIMEOUT_S = 10
START_ATTEMPTS = 2

WORKER_ENVIRONMENT = {
    # A worker group then starts in half the time, and its end is seen at once.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
    # A loaded machine needs more than the default 60 s; whether a group fits is checked before.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",
    # One process less to start for each worker group: our checkpoints come every epoch, announced or not.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
}

QUIET_ENVIRONMENT = {
    # Trials report to our own progress lines; Tune's files for each trial are not read by anyone.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Tune's newer output prints a table of its settings and a path even where it is told to be silent.
    "RAY_AIR_NEW_OUTPUT": "0",
    # Ray's announcement of a change to come that asks nothing of us.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # The processes of trials reserve no CPU, so a small machine always runs more processes than Ray expects.
    "RAY_DEDUP_LOGS_SKIP_REGEX": "PYTHON worker processes have been started",
}


@dataclass(frozen=True)
class Cluster:
    """What the connected cluster offers.

    Attributes:
        nodes: by shape, those that its autoscaler may add included.
        started: whether this process started it.
        wait_for_dashboard: returns the dashboard's address when it is up, empty where there is none.
    """

    nodes: tuple[NodeShape, ...]
    started: bool
    wait_for_dashboard: Callable[[], str] = lambda: ""

    @property
    def cpus(self) -> float:
        return sum(node.count * node.cpus for node in self.nodes)

    @property
    def gpus(self) -> float:
        return sum(node.count * node.gpus for node in self.nodes)


def connect(address: str | None, namespace: str, working_dir: str | None = None) -> Cluster:
    """Connect to a running cluster, or start Ray on this machine, also where a cluster runs that was not asked for.

    A cluster that is started here listens on the loopback interface alone and asks for a token, unless
    ``RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER`` and ``RAY_AUTH_MODE`` say otherwise.

    Args:
        address: ``auto`` or ``HOST:PORT``; by default what ``RAY_ADDRESS`` says, as for every program of Ray.
        working_dir: a folder that every node gets a copy of, on Python's path of the processes there.

    Raises:
        UserError: nothing answers at the address, or it asks for a token that is not here; Ray refuses the folder (its
            size, or a job that has another).
        ClusterLost: Ray did not start on this machine.
    """
    address = address or os.environ.get("RAY_ADDRESS") or None
    if address is None:
        # Only for a Ray of our own: with a user's cluster it raises where no token exists.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    else:
        _require_answer(address)
    for name, value in (WORKER_ENVIRONMENT | QUIET_ENVIRONMENT).items():
        os.environ.setdefault(name, value)
    import ray
    from ray.exceptions import AuthenticationError, RuntimeEnvSetupError

    logging.getLogger("ray").setLevel(logging.ERROR)
    # The reason of a trial's failure is in its row; that Tune could not write its own files, which nobody reads, is no
    # news.
    for name in ("ray.tune", "ray.train", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    environment = {"working_dir": str(Path(working_dir).absolute())} if working_dir is not None else None

    def init() -> Callable[[], str | None]:
        with loopback_only(), _signals_preserved(), helpers_in_background() as wait_for_dashboard:
            context = ray.init(
                address=address or "local",
                namespace=namespace,
                log_to_driver=False,
                logging_level=logging.ERROR,
                include_dashboard=None if address else True,
                configure_logging=True,
                runtime_env=environment,
            )
        return (lambda: str(context.dashboard_url or "")) if address else wait_for_dashboard

    try:
        wait_for_dashboard = init() if address else _started(init)
    except AuthenticationError as error:
        raise UserError(
            f"--address {address or 'local'!r} asks for a token and this machine has none or another: "
            "`ray get-auth-token` on the cluster's head prints it; here RAY_AUTH_TOKEN or ~/.ray/auth_token takes it"
        ) from error
    except (ConnectionError, RuntimeError, ValueError, RuntimeEnvSetupError) as error:
        reason = " ".join(str(error).split())[:300]
        if working_dir is not None and (isinstance(error, RuntimeEnvSetupError) or "runtime env" in reason):
            raise UserError(f"--working-dir {working_dir!r} was not sent to the nodes: {reason}") from error
        if address is None:
            raise
        raise UserError(f"--address {address!r}: no Ray cluster answers ({reason})") from error

    def dashboard() -> str:
        url = wait_for_dashboard()
        return f"http://{url}" if url else ""

    return Cluster(capacity(), started=address is None, wait_for_dashboard=dashboard)


def disconnect() -> None:
    """End the connection, and Ray where this process started it."""
    import ray

    ray.shutdown()


@contextmanager
def _signals_preserved() -> Iterator[None]:
    """Keep this process's SIGTERM handler, and have the processes that Ray starts outlive a terminal that closes.

    Ray replaces the handler by one that prints a C++ trace and ends the process. Its processes inherit the mask: they
    end with the search, which closes in order first.
    """
    handler = signal.getsignal(signal.SIGTERM)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if threading.current_thread() is threading.main_thread() and handler is not None:
            signal.signal(signal.SIGTERM, handler)


def _started(init: Callable[[], Any]) -> Any:
    """Start Ray here; on a machine that is busy it may miss its own deadline, so it gets `START_ATTEMPTS`.

    Raises:
        ClusterLost: it did not start.
    """
    for attempt in range(START_ATTEMPTS):
        try:
            return init()
        except Exception as error:
            # Ray has no class for it.
            if "timed out during startup" not in str(error):
                raise
            if attempt == START_ATTEMPTS - 1:
                raise ClusterLost(
                    f"Ray did not start on this machine in {START_ATTEMPTS} attempts of 30 s, which happens where "
                    "other programs leave it no processor time; nothing is lost, and the same command tries again"
                ) from error
    raise AssertionError(START_ATTEMPTS)


def _require_answer(address: str) -> None:
    """Raises UserError: nothing answers at the address, where Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if "://" in address or address in ("auto", "local"):
        return
    if not colon or not port.isdigit():
        raise UserError(f"--address {address!r}: auto or HOST:PORT is needed")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"--address {address!r}: nothing answers there ({error})") from error
