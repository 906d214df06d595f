"""The callback of a Ray Train run that forwards its reports; runs in the controller's process."""

from typing import Any

from ray.train import UserCallback

from ban_ray.runtime.report_channel import send


class ForwardReports(UserCallback):
    """Forwards the reports of rank 0 to the trial.

    Args:
        address: the trial's `ReportServer`.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def after_report(self, run_context: Any, metrics: list[dict[str, Any]], checkpoint: Any) -> None:
        send(self._address, metrics[0])
