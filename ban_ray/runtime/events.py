"""Events of a chain, which its workers send to the search as JSON."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

EVENT_KEY = "event"
"""Key of an event in a result of a mailbox or of Tune. The event is text, since Tune flattens nested dictionaries."""


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class GenerationEvent(_Event):
    """An event of one generation of a chain.

    Attributes:
        generation: number of the generation within its chain; the baseline is 0.
        key: the generation's key.
        metrics: the epoch's record (`ban_ray.population.member.History`), or the member's `Metrics`, by name.
    """

    generation: int
    key: str
    metrics: dict[str, Any] = Field(default_factory=dict)


class EpochEnded(GenerationEvent):
    """An epoch has been trained; ``metrics["epoch"]`` counts from 1.

    Attributes:
        epochs: epochs of the generation.
        drop_rung_epoch: the epoch after which chains are first compared; None if that is at the generation's end.
    """

    kind: Literal["epoch_ended"] = "epoch_ended"
    epochs: int
    drop_rung_epoch: int | None = None

    @property
    def epoch(self) -> int:
        return int(self.metrics["epoch"])

    @property
    def is_at_drop_rung(self) -> bool:
        return self.drop_rung_epoch == self.epoch


class Published(GenerationEvent):
    """A generation was trained and is a member of the population now."""

    kind: Literal["published"] = "published"
    epochs: int | None = None


class Reused(GenerationEvent):
    """A generation was a member of the population already."""

    kind: Literal["reused"] = "reused"


class Waiting(_Event):
    """The chain waits for a generation that another chain or search is training."""

    kind: Literal["waiting"] = "waiting"
    key: str


class JobAddress(BaseModel):
    """Where a request to stop a job is sent.

    Attributes:
        job_id: that of the `TrainingJob`.
        mailbox_name: name of its group's mailbox within the search's `JobBroker`.
    """

    model_config = ConfigDict(frozen=True)

    job_id: str
    mailbox_name: str


class JobSubmitted(_Event):
    """The chain's missing generations are a job that waits for workers; sent again if a group has to be restarted."""

    kind: Literal["job_submitted"] = "job_submitted"
    address: JobAddress


class ChainEnded(_Event):
    """The chain's trial has ended; if it failed, `key` and `message` say where and why."""

    kind: Literal["chain_ended"] = "chain_ended"
    status: Literal["done", "stopped", "failed"]
    key: str = ""
    message: str = ""


Event = EpochEnded | Published | Reused | Waiting | JobSubmitted | ChainEnded
EventHandler = Callable[[Event], None]

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])


def event_to_result(event: Event) -> dict[str, Any]:
    """The event as a result of Ray Tune or of a mailbox."""
    return {EVENT_KEY: event.model_dump_json()}


def event_from_result(result: Mapping[str, Any]) -> Event | None:
    """The event in a result; None if it has none, like the last result of a trial, which is Tune's own."""
    return _ADAPTER.validate_json(result[EVENT_KEY]) if EVENT_KEY in result else None
