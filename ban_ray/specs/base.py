"""The common ground of all specs."""

from pydantic import BaseModel, ConfigDict

from ban_ray.specs.canonical import canonical_json


class Spec(BaseModel):
    """Frozen and strict about names; written without the fields that are at their default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def to_json(self) -> str:
        """Canonical JSON that `model_validate_json` reads back to an equal value."""
        return canonical_json(self.model_dump(mode="json", exclude_defaults=True)).decode()
