"""The records that a search writes down, and that the analysis and later searches read."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from ban_ray.specs import PaperRow, canonical_json
from ban_ray.specs.base import Sha256
from ban_ray.specs.canonical import normalise

JsonObject = Annotated[dict[str, JsonValue], BeforeValidator(normalise)]


class _Record(BaseModel):
    """Canonical JSON; fields that this version does not know are passed over."""

    model_config = ConfigDict(frozen=True)

    def to_bytes(self) -> bytes:
        return canonical_json(self.model_dump())


class SearchRecord(_Record):
    """``search.json``.

    Attributes:
        identity: what changes the values of the search; more generations or seeds only add to it.
        paper: the rows of the papers' tables that the search repeats.
        fields: in words, the fields of recipe and objective that the command line set and searched; left out if none.
    """

    format_version: Literal[1]
    space: str
    scale: str = ""
    title: str = ""
    source: str = ""
    identity: JsonObject = Field(default_factory=dict)
    paper: tuple[PaperRow, ...] = ()
    fields: str = ""

    def to_bytes(self) -> bytes:
        return canonical_json(self.model_dump(exclude=set() if self.fields else {"fields"}))


class TeacherRecord(_Record):
    """The members that teach a chain's first generation, and how they were chosen when its configuration began."""

    keys: Annotated[tuple[Sha256, ...], Field(min_length=1)]
    how: str = ""


class ChainRecord(_Record):
    """``chains/<digest>.json``: the keys of a chain's generations, those not trained yet included.

    Attributes:
        label: the objective of its last generation, or another role.
        row, columns: the position of its generations in the search's table; empty where it was not recorded.
        teachers: left out where none were chosen when the configuration began.
    """

    configuration: JsonObject = Field(default_factory=dict)
    seed: int
    keys: Annotated[tuple[Sha256, ...], Field(min_length=1)]
    network: str = ""
    label: str = ""
    row: str = ""
    columns: tuple[str, ...] = ()
    teachers: TeacherRecord | None = None

    def to_bytes(self) -> bytes:
        return canonical_json(self.model_dump(exclude=set() if self.teachers else {"teachers"}))
