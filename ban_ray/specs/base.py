"""The common ground of all specs."""

import reprlib
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from ban_ray.specs.canonical import canonical_json


class Spec(BaseModel):
    """Frozen, and validated in full however it is made or copied; written without the fields that are at their default.

    Pydantic's own `model_copy`, `model_construct` and `copy` take any name and any value. A spec that took an unknown
    name would keep its key, and a search over that name would compare nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with changes, validated as a new spec is.

        Raises:
            ValueError: an unknown field, or a value that the constructor refuses.
        """
        if not update:
            return super().model_copy(deep=deep)
        fields = type(self).model_fields
        for name, value in update.items():
            if name not in fields:
                given = f"{name} = {reprlib.repr(value)}"
                raise ValueError(f"{given} is no field of {type(self).__name__}; allowed are {', '.join(fields)}")
        rest = {name: getattr(self, name) for name in self.model_fields_set if name not in update}
        return self.model_validate({**(deepcopy(rest) if deep else rest), **update})

    @classmethod
    def model_construct(cls, **values: Any) -> Self:  # type: ignore[override]
        """As the constructor."""
        return cls.model_validate(values)

    def copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:  # type: ignore[override]
        """As `model_copy`."""
        return self.model_copy(update=update, deep=deep)

    def to_json(self) -> str:
        """Canonical JSON that `model_validate_json` reads back to an equal value."""
        return canonical_json(self.model_dump(mode="json", exclude_defaults=True)).decode()
