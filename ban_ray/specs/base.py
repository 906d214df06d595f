"""The base class of all specs."""

import reprlib
from collections.abc import Mapping
from copy import deepcopy
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from ban_ray.specs.canonical import canonical_json

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Spec(BaseModel):
    """A frozen value that is validated however it is made or copied; its JSON omits fields at their default.

    Pydantic's own `model_copy`, `model_construct` and `copy` accept any name and any value. A spec with an unknown
    field would have the same key as without it, and a search over that field would compare equal chains.
    """

    FIRST_FIELDS: ClassVar[frozenset[str]] = frozenset()
    """Fields of the first version, which records name whatever their values."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with changes, validated like a new spec.

        Raises:
            ValueError: an unknown field, or a value that the constructor refuses.
        """
        if not update:
            return super().model_copy(deep=deep)
        fields = type(self).model_fields
        for name, value in update.items():
            if name not in fields:
                change = f"{name} = {reprlib.repr(value)}"
                raise ValueError(f"{change} is no field of {type(self).__name__}; allowed are {', '.join(fields)}")
        rest = {name: getattr(self, name) for name in self.model_fields_set if name not in update}
        return self.model_validate({**(deepcopy(rest) if deep else rest), **update})

    @classmethod
    def model_construct(cls, **values: Any) -> Self:  # type: ignore[override]
        """The same as the constructor."""
        return cls.model_validate(values)

    def copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:  # type: ignore[override]
        """The same as `model_copy`."""
        return self.model_copy(update=update, deep=deep)

    def recorded(self) -> dict[str, Any]:
        """The fields as records of every version name them: the first ones, and those not at their default."""
        changed = self.model_dump(exclude_defaults=True).keys()
        return self.model_dump(include={*self.FIRST_FIELDS, *changed})

    def to_json(self) -> str:
        """Canonical JSON that `model_validate_json` reads back to an equal value."""
        return canonical_json(self.model_dump(mode="json", exclude_defaults=True)).decode()
