"""The function that Ray Train runs on each worker of a group: job after job, until there are no more."""

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ban_ray.errors import PeerLost
from ban_ray.runtime.events import EpochEnded, Event, EventHandler, Published, Reused, event_to_result
from ban_ray.runtime.mailbox_client import MailboxClient
from ban_ray.runtime.messages import TrainingJob

if TYPE_CHECKING:
    import torch

    from ban_ray.runtime.worker import StopSignal

MIN_REPORT_INTERVAL_S = 1.0
"""Minimum time between the reports of two epochs, since a report costs several processes some milliseconds. A member's
history has every epoch, reported or not."""


def train_loop_per_worker(config: dict[str, Any]) -> None:
    """Train the jobs of the group's `JobMailbox`, until it is closed.

    Args:
        config: ``"execution_name"``, ``"mailbox_name"``, and ``"gpus"`` of the worker.
    """
    from ban_ray.runtime.worker import JobTrainer, StopSignal
    from ban_ray.training import distributed

    mailbox = MailboxClient(config["execution_name"], config["mailbox_name"])
    device = _set_device(config["gpus"])
    rank, workers = distributed.rank(), distributed.world_size()

    def agree_on_last_stop_point(job_id: str, stop_point: int) -> int:
        if workers == 1:
            return stop_point
        return int(mailbox.call("agree_on_last_stop_point", job_id, rank, stop_point, workers))

    sender = _OrderedSender(mailbox)

    def report(event: Event) -> None:
        sender.send_in_order("add_event", event_to_result(event))

    stop_signal = StopSignal(agree_on_last_stop_point)
    follower = threading.Thread(
        target=_follow_stop_requests, args=(mailbox, stop_signal), name="stop requests", daemon=True
    )
    follower.start()
    trainer, number = JobTrainer(device, throttle_reports(report), stop_signal), 0
    while (text := mailbox.call("next_job", number)) is not None:
        job = TrainingJob.model_validate_json(text)
        sender.job_id = job.job_id
        result = trainer.train(job)
        if rank == 0:
            sender.send_in_order("set_result", result.model_dump_json())
        number += 1


def _set_device(gpus: float) -> "torch.device":
    """Make the device that Ray assigned to this worker torch's default, limited to this worker's part of its memory."""
    import torch

    if not gpus:
        # Ray Train would return the same, after another second of imports.
        return torch.device("cpu")
    from ray.train.torch import get_device

    from ban_ray.training.precision import limit_memory

    device: torch.device = get_device()
    torch.cuda.set_device(device)
    limit_memory(gpus, device)
    return device


class _OrderedSender:
    """Calls the mailbox for rank 0, in order: Ray's calls of an asynchronous actor may overtake each other.

    Attributes:
        job_id: the current job's.
    """

    def __init__(self, mailbox: MailboxClient) -> None:
        self.job_id = ""
        self._mailbox = mailbox
        self._last: list[Any] = []

    def send_in_order(self, method: str, content: Any) -> None:
        """Call a method of the `JobMailbox` on the current job, once the previous call has arrived."""
        import ray

        try:
            ray.get(self._last)
        except ray.exceptions.RayError as error:
            # The broker has died, perhaps with its node; the training did not fail.
            raise PeerLost(str(error)) from error
        self._last = [self._mailbox.call_async(method, self.job_id, content)]


def _follow_stop_requests(mailbox: MailboxClient, stop_signal: "StopSignal") -> None:
    import ray

    number = 0
    # When the broker has died, this process ends too.
    with suppress(ray.exceptions.RayActorError):
        while (job_id := mailbox.call("next_stop_request", number)) is not None:
            stop_signal.request_stop(job_id)
            number += 1


def throttle_reports(report: EventHandler) -> EventHandler:
    """Report every member and every epoch at a rung, other epochs at most every `MIN_REPORT_INTERVAL_S` seconds."""
    last = -MIN_REPORT_INTERVAL_S

    def report_if_due(event: Event) -> None:
        nonlocal last
        is_important = isinstance(event, Published | Reused) or (
            isinstance(event, EpochEnded) and event.is_at_drop_rung
        )
        if is_important or time.monotonic() - last >= MIN_REPORT_INTERVAL_S:
            last = time.monotonic()
            report(event)

    return report_if_due
