"""The choice of the members of the population that teach a chain's first generation."""

import re
from dataclasses import dataclass
from typing import Literal

FORMS = "parent, KEY, generations:KEY, best and best:parameters=N"
_KEY = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True)
class TeacherChoice:
    """A choice of teachers.

    Attributes:
        kind: ``parent`` (each generation by the one before, the first by labels), ``member`` (the first generation by
            a named one), ``generations`` (by the average of a named member and the born-again generations before
            it), ``best`` (by the member of this task and split with the lowest held-out error).
        key: of the named member, or the beginning of it.
        max_parameters: of the members that ``best`` chooses from.
    """

    kind: Literal["parent", "member", "generations", "best"]
    key: str = ""
    max_parameters: int | None = None

    @classmethod
    def parse(cls, text: str) -> "TeacherChoice":
        """Read one of `FORMS`.

        Raises:
            ValueError: the text has none of the forms.
        """
        kind, _, rest = text.partition(":")
        if text == "parent":
            return cls("parent")
        if _KEY.fullmatch(text):
            return cls("member", text)
        if kind == "generations" and _KEY.fullmatch(rest):
            return cls("generations", rest)
        if text == "best":
            return cls("best")
        limit = re.fullmatch(r"best:parameters=([1-9](?:_?[0-9]){0,18})", text)
        if limit:
            return cls("best", max_parameters=int(limit[1]))
        raise ValueError(
            f"{text!r} names no teacher; allowed are {FORMS}, where KEY is a member's or at least its first 8 letters"
        )
