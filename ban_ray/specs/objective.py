"""The objective of a generation: a registered loss and its weights."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from ban_ray.objectives import LOSSES, Loss
from ban_ray.specs.base import Spec
from ban_ray.specs.canonical import normalise

OBJECTIVES = tuple(sorted(LOSSES))


def _registered(name: str) -> str:
    if name not in LOSSES:
        raise ValueError(f"unknown objective {name!r}; allowed are {', '.join(sorted(LOSSES))}")
    return name


class Objective(Spec):
    """A named objective and its weights; a field that its loss does not use is refused.

    Attributes:
        name: of a loss in `ban_ray.objectives`, one file each.
        temperature: of the teacher's term; 1 in the papers. Other values give T^2 KL(p_T || q_T).
        label_weight: multiplies the term that reads the labels.
        teacher_weight: multiplies the term that matches the teacher's distribution.
        label_smoothing: share of the label's mass spread over all classes.
        xi: share of the teacher's term, that of the labels being ``1 - xi``.
        confidence: probability that a virtual teacher gives to the label.
        beta: of the distribution Beta(beta, 1), whose mean is ``beta / (beta + 1)``.
        teacher_decay: of the moving average of the network's own weights that teaches it, as `Recipe.ema_decay`.
    """

    FIRST_FIELDS = frozenset(("name", "temperature", "label_weight", "teacher_weight", "label_smoothing"))

    name: Annotated[str, AfterValidator(_registered)]
    temperature: Annotated[float, Field(gt=0)] = 1.0
    label_weight: Annotated[float, Field(gt=0)] = 1.0
    teacher_weight: Annotated[float, Field(gt=0)] = 1.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    xi: float = 0.5
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.9
    beta: Annotated[float, Field(gt=0)] = 9.0
    teacher_decay: Annotated[float, Field(gt=0, lt=1)] = 0.999

    @model_validator(mode="after")
    def _only_used_fields(self) -> Self:
        used = LOSSES[self.name].used_fields()
        for field in self.model_dump(exclude_defaults=True):
            if field not in ("name", *used):
                raise ValueError(f"objective {self.name} does not use {field}; it uses {', '.join(used)}")
        return self

    @property
    def needs_teacher(self) -> bool:
        return LOSSES[self.name].needs_teacher

    @property
    def loss(self) -> Loss:
        """The loss with the weights of this objective."""
        loss = LOSSES[self.name]
        return loss(**{field: getattr(self, field) for field in loss.used_fields()})

    @classmethod
    def parse(cls, text: str) -> "Objective":
        """Read ``NAME`` or ``NAME:field=value,field=value``, e.g. ``ban:temperature=4``.

        Raises:
            ValueError: unknown name or field, or a value out of range.
        """
        name, _, rest = text.partition(":")
        used = LOSSES[_registered(name)].used_fields()
        fields: dict[str, str] = {"name": name}
        for item in filter(None, rest.split(",")):
            field, equals, value = item.partition("=")
            if not equals or field not in used:
                raise ValueError(f"objective {text!r}: {item!r} is not one of {', '.join(used)} with a value")
            if field in fields:
                raise ValueError(f"objective {text!r} gives {field} twice")
            fields[field] = value
        return cls.model_validate(fields)

    def __str__(self) -> str:
        fields = self.model_dump(exclude_defaults=True)
        name = fields.pop("name")
        rest = ",".join(f"{field}={normalise(value)}" for field, value in sorted(fields.items()))
        return f"{name}:{rest}" if rest else str(name)
