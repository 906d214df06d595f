"""Frees the resources of worker groups that nobody owns any more.

Ray removes a placement group with the job that made it, not with the actor, and Train's own cleaner knows only groups
that were started to the end: a controller that is killed while it starts workers, or that starts them anew in its last
moment because they died before it, leaves CPUs or GPUs taken until the search ends. Where the search was ended by that
moment, as by ``ray job stop``, Ray does not remove them at all: the next search does.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ban_ray.cluster.ray_internals import is_of_job

_ALL = 10_000
"""The most that Ray's dashboard tells at once."""
_ENDED = ("STOPPED", "SUCCEEDED", "FAILED")

DRIVER = "ChainDriver"
"""The class of a trial's process, by which a job is known for a search."""

LOOK_EVERY_S = 5.0
AFTER_S = 10.0
"""Longer than a controller needs between a placement group and the actors in it; a group that is taken away in error is
asked for again by its controller."""


class OrphanedPlacementGroups:
    """Placement groups of this job and of ended searches that hold CPUs or GPUs and in which no actor lives."""

    def __init__(self, after_s: float = AFTER_S) -> None:
        """`after_s`: seconds without an actor before a group is removed."""
        self._after_s = after_s
        self._since: dict[str, float] = {}

    def remove(self) -> list[str]:
        """Look once; returns the ids of the groups that were removed."""
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
    """Of this job and of searches that have ended."""
    import ray

    taken = {
        group
        for group, description in ray.util.placement_group_table().items()
        if description["state"] == "CREATED"
        # Tune's own, for drivers, hold memory alone.
        and any("CPU" in bundle or "GPU" in bundle for bundle in description["bundles"].values())
    }
    job = ray.get_runtime_context().get_job_id()
    of_this_job = {group for group in taken if is_of_job(group, job)}
    candidates = of_this_job | _of_ended_jobs(taken - of_this_job)
    return candidates - _occupied() if candidates else set()


def _of_ended_jobs(groups: set[str]) -> set[str]:
    """Those of the groups whose job was a search, and is over."""
    import ray
    from ray.util.state import list_actors, list_jobs

    if not groups:
        return set()
    address = ray.get_runtime_context().gcs_address
    ended = {job.job_id for job in list_jobs(address=address, limit=_ALL) if job.status in _ENDED}
    drivers = list_actors(address=address, filters=[("class_name", "=", DRIVER)], limit=_ALL)
    # Others may have made theirs to stay: Ray cannot be asked by whom a group is still wanted.
    jobs = {driver.job_id for driver in drivers} & ended
    return {group for group in groups if any(is_of_job(group, job) for job in jobs)}


def _occupied() -> set[str]:
    """Groups in which an actor lives."""
    import ray
    from ray.util.state import list_actors

    address = ray.get_runtime_context().gcs_address
    actors = list_actors(address=address, detail=True, filters=[("state", "!=", "DEAD")], limit=_ALL)
    return {actor.placement_group_id for actor in actors}


@contextmanager
def reap_orphans(every_s: float = LOOK_EVERY_S, after_s: float = AFTER_S) -> Iterator[None]:
    """Look every `every_s` seconds, in a thread, for as long as the block runs."""
    over, abandoned = threading.Event(), OrphanedPlacementGroups(after_s)

    def look() -> None:
        from ray.util.state.exception import RayStateApiException

        while not over.wait(every_s):
            try:
                abandoned.remove()
            except (RayStateApiException, OSError, ConnectionError):
                # The dashboard answers for actors; it may be busy or gone, and then nothing is known.
                continue

    watcher = threading.Thread(target=look, name="abandoned worker groups", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join(every_s)
