"""What a generation minimises; the tensors are in `ban_ray.training.objectives`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ban_ray.specs.base import Spec
from ban_ray.specs.canonical import normalise

OBJECTIVES = ("label", "ban", "ban+l", "cwtm", "dkpp")

_USED = {
    "label": {"label_weight", "label_smoothing"},
    "ban": {"teacher_weight", "temperature"},
    "ban+l": {"label_weight", "label_smoothing", "teacher_weight", "temperature"},
    "cwtm": {"label_weight"},
    "dkpp": {"teacher_weight"},
}


class Objective(Spec):
    """A named objective of the papers and its weights; a field that the name does not use is refused.

    Attributes:
        name: ``label`` (cross-entropy with the labels), ``ban`` (cross-entropy with the teacher),
            ``ban+l`` (their sum; workshop equations 2 and 3), ``cwtm`` (labels, weighted by the teacher's
            confidence), ``dkpp`` (the teacher with its non-argmax entries permuted).
        temperature: of the teacher's term; 1 in the papers. Other values give T^2 KL(p_T || q_T).
        label_weight: multiplies the term that reads the labels.
        teacher_weight: multiplies the term that matches the teacher's distribution.
        label_smoothing: share of the label's mass spread over all classes.
    """

    name: Literal["label", "ban", "ban+l", "cwtm", "dkpp"]
    temperature: Annotated[float, Field(gt=0)] = 1.0
    label_weight: Annotated[float, Field(gt=0)] = 1.0
    teacher_weight: Annotated[float, Field(gt=0)] = 1.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _only_used_fields(self) -> Self:
        for field in type(self).model_fields:
            default = type(self).model_fields[field].default
            if field != "name" and field not in _USED[self.name] and getattr(self, field) != default:
                allowed = ", ".join(sorted(_USED[self.name]))
                raise ValueError(f"objective {self.name} does not use {field}; it uses {allowed}")
        return self

    @property
    def needs_teacher(self) -> bool:
        return self.name != "label"

    @classmethod
    def parse(cls, text: str) -> "Objective":
        """Read ``NAME`` or ``NAME:field=value,field=value``, e.g. ``ban:temperature=4``.

        Raises:
            ValueError: unknown name or field, or a value out of range.
        """
        name, _, rest = text.partition(":")
        if name not in OBJECTIVES:
            raise ValueError(f"unknown objective {name!r}; allowed are {', '.join(OBJECTIVES)}")
        fields: dict[str, str] = {"name": name}
        for item in filter(None, rest.split(",")):
            field, equals, value = item.partition("=")
            if not equals or field not in _USED[name]:
                raise ValueError(
                    f"objective {text!r}: {item!r} is not one of {', '.join(sorted(_USED[name]))} with a value"
                )
            if field in fields:
                raise ValueError(f"objective {text!r} gives {field} twice")
            fields[field] = value
        return cls.model_validate(fields)

    def __str__(self) -> str:
        given = self.model_dump(exclude_defaults=True)
        name = given.pop("name")
        rest = ",".join(f"{field}={normalise(value)}" for field, value in sorted(given.items()))
        return f"{name}:{rest}" if rest else str(name)
