"""The worker group of a trial's process, kept for the next chains, since starting one takes seconds."""

import threading

from ban_ray.cluster import WorkerResources
from ban_ray.runtime.events import EventHandler, JobAddress, JobSubmitted
from ban_ray.runtime.messages import JobResult, TrainingJob
from ban_ray.runtime.train_run import TrainRun, TrainRunEnded

MAX_WORKER_DEATHS = 8
"""Restarts of a worker group after the death of a process; each resumes from the newest checkpoint."""

MAX_IDLE_S = 5.0
"""Seconds without a job after which a group releases its CPUs and GPUs."""


class _WarmGroup:
    """The worker group that this process started last, while it is alive."""

    def __init__(self) -> None:
        self._run: TrainRun | None = None
        self._idle_timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def take(self, resources: WorkerResources, *, execution_name: str, folder: str) -> TrainRun:
        """The current run if it is alive and its workers have these resources, else a new one."""
        with self._lock:
            self._cancel_timer()
            if self._run is not None and (self._run.resources != resources or not self._run.is_alive):
                self._run.close()
                self._run = None
            if self._run is None:
                self._run = TrainRun(resources, execution_name=execution_name, folder=folder)
            return self._run

    def release(self) -> None:
        """Keep the group for another job; it ends after `MAX_IDLE_S` seconds without one."""
        with self._lock:
            self._cancel_timer()
            self._idle_timer = threading.Timer(MAX_IDLE_S, self._close_idle)
            self._idle_timer.daemon = True
            self._idle_timer.start()

    def abort(self) -> None:
        """End the group at once."""
        with self._lock:
            self._cancel_timer()
            run, self._run = self._run, None
        if run is not None:
            run.abort()

    def _close_idle(self) -> None:
        with self._lock:
            if self._idle_timer is threading.current_thread() and self._run is not None:
                self._run.close()
                self._run = None

    def _cancel_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None


_warm_group = _WarmGroup()


def run_job(
    job: TrainingJob, resources: WorkerResources, on_event: EventHandler, *, name: str, folder: str
) -> JobResult:
    """Train a job's generations on a worker group: that of this process's last job if its resources are the same.

    Args:
        on_event: called with the workers' events.
        name: the chain's name on the dashboard.
        folder: for Train's own files, reachable from every node.

    Returns:
        The workers' result; a failure with the last error if workers kept dying.
    """
    reason = ""
    for _ in range(MAX_WORKER_DEATHS + 1):
        is_done = False
        try:
            train_run = _warm_group.take(resources, execution_name=job.context.execution_name, folder=folder)
            on_event(JobSubmitted(address=JobAddress(job_id=job.job_id, mailbox_name=train_run.name)))
            result = train_run.train(job, on_event, name=name)
            is_done = True
        except TrainRunEnded as error:
            reason = str(error)
            continue
        finally:
            if not is_done:
                # Tune stopped the trial while it reported an event, or the run has ended.
                _warm_group.abort()
        if result.is_unresponsive:
            _warm_group.abort()
        else:
            _warm_group.release()
        return result
    message = f"its workers failed {MAX_WORKER_DEATHS + 1} times, the last time with: {reason[-500:]}"
    return JobResult(status="failed", key=job.generations[0].key, message=message)


def abort_group() -> None:
    """End the group of this process, if there is one."""
    _warm_group.abort()
