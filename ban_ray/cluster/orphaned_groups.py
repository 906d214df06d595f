"""The release of resources that worker groups hold whose owner has ended.

Ray removes a placement group with the job that made it, not with the actor: a trial's process that is killed leaves
CPUs or GPUs taken until the search ends. Train's own cleaner would be a further process for each worker group, and
knows only groups that were started to the end. Where the search was ended in the moment in which a group started, as by
``ray job stop``, Ray does not remove it at all: the next search does.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ban_ray.cluster.ray_internals import is_of_job

_LIMIT = 10_000
"""The most entries that Ray's dashboard lists at once."""
_ENDED = ("STOPPED", "SUCCEEDED", "FAILED")

TRIAL_ACTOR_CLASS = "ChainDriver"
"""Class name of the actor that runs a trial, by which a job is known to be a search."""

CHECK_INTERVAL_S = 5.0
ORPHANED_AFTER_S = 10.0
"""Longer than a controller takes from a placement group to the actors in it; of a group that is removed in error a
controller asks for another."""


class OrphanedPlacementGroups:
    """Placement groups of this job and of ended searches that hold CPUs or GPUs and in which no actor lives."""

    def __init__(self, after_s: float = ORPHANED_AFTER_S) -> None:
        """`after_s`: seconds without an actor before a group is removed."""
        self._after_s = after_s
        self._since: dict[str, float] = {}

    def remove(self) -> list[str]:
        """Remove the groups that are due, and return their ids."""
        import ray
        from ray.util.placement_group import PlacementGroup, remove_placement_group

        now = time.monotonic()
        self._since = {group: self._since.get(group, now) for group in _without_actors()}
        due = [group for group, since in self._since.items() if now - since >= self._after_s]
        for group in due:
            remove_placement_group(PlacementGroup(ray.PlacementGroupID.from_hex(group)))
            del self._since[group]
        return due


def _without_actors() -> set[str]:
    """Groups of this job and of searches that have ended, with CPUs or GPUs and without an actor."""
    import ray

    taken = {
        group
        for group, description in ray.util.placement_group_table().items()
        if description["state"] == "CREATED"
        # Tune's own, for the processes of trials, hold only memory.
        and any("CPU" in bundle or "GPU" in bundle for bundle in description["bundles"].values())
    }
    job = ray.get_runtime_context().get_job_id()
    of_this_job = {group for group in taken if is_of_job(group, job)}
    candidates = of_this_job | _of_ended_jobs(taken - of_this_job)
    return candidates - _occupied() if candidates else set()


def _of_ended_jobs(groups: set[str]) -> set[str]:
    """Those of the groups whose job was a search that has ended."""
    import ray
    from ray.util.state import list_actors, list_jobs

    if not groups:
        return set()
    address = ray.get_runtime_context().gcs_address
    ended = {job.job_id for job in list_jobs(address=address, limit=_LIMIT) if job.status in _ENDED}
    trials = list_actors(address=address, filters=[("class_name", "=", TRIAL_ACTOR_CLASS)], limit=_LIMIT)
    # Others may have made theirs to stay: Ray cannot be asked by whom a group is still wanted.
    jobs = {trial.job_id for trial in trials} & ended
    return {group for group in groups if any(is_of_job(group, job) for job in jobs)}


def _occupied() -> set[str]:
    """Groups in which an actor lives."""
    import ray
    from ray.util.state import list_actors

    address = ray.get_runtime_context().gcs_address
    actors = list_actors(address=address, detail=True, filters=[("state", "!=", "DEAD")], limit=_LIMIT)
    return {actor.placement_group_id for actor in actors}


@contextmanager
def reap_orphans(interval_s: float = CHECK_INTERVAL_S, after_s: float = ORPHANED_AFTER_S) -> Iterator[None]:
    """Remove orphaned groups every `interval_s` seconds, in a thread, while the block runs."""
    ended, orphans = threading.Event(), OrphanedPlacementGroups(after_s)

    def watch() -> None:
        from ray.util.state.exception import RayStateApiException

        while not ended.wait(interval_s):
            try:
                orphans.remove()
            except (RayStateApiException, OSError, ConnectionError):
                # The dashboard lists actors; while it is busy or gone nothing is known.
                continue

    watcher = threading.Thread(target=watch, name="orphaned worker groups", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join(interval_s)
