"""The optimisers that a recipe can name and their arguments, by the names and with the defaults of `torch.optim`.

Torch is not imported here; `tests/training/test_torch_optimisers.py` compares this table with torch's signatures.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ban_ray.specs.canonical import normalise

Decay = Annotated[float, Field(ge=0, lt=1)]
Epsilon = Annotated[float, Field(gt=0)]


class Arguments(BaseModel):
    """Arguments of an optimiser beside its learning rate and weight decay."""

    # Validators are built when an optimiser is first named: every command imports this module.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class SGD(Arguments):
    """`torch.optim.SGD` without dampening, whose ``momentum`` is a recipe's own field; Nesterov's unless refused."""

    nesterov: bool = True


class Adam(Arguments):
    """`torch.optim.Adam` (Kingma and Ba 2015); weight decay is added to the gradient."""

    betas: tuple[Decay, Decay] = (0.9, 0.999)
    eps: Epsilon = 1e-8
    amsgrad: bool = False


class AdamW(Adam):
    """`torch.optim.AdamW` (Loshchilov and Hutter 2019); weight decay is decoupled from the gradient."""


class NAdam(Arguments):
    """`torch.optim.NAdam` (Dozat 2016)."""

    betas: tuple[Decay, Decay] = (0.9, 0.999)
    eps: Epsilon = 1e-8
    momentum_decay: Annotated[float, Field(ge=0)] = 4e-3
    decoupled_weight_decay: bool = False


class RAdam(Arguments):
    """`torch.optim.RAdam` (Liu et al. 2020)."""

    betas: tuple[Decay, Decay] = (0.9, 0.999)
    eps: Epsilon = 1e-8
    decoupled_weight_decay: bool = False


class RMSprop(Arguments):
    """`torch.optim.RMSprop` (Tieleman and Hinton 2012)."""

    alpha: Decay = 0.99
    eps: Epsilon = 1e-8
    momentum: Decay = 0.0
    centered: bool = False


class Adagrad(Arguments):
    """`torch.optim.Adagrad` (Duchi et al. 2011)."""

    lr_decay: Annotated[float, Field(ge=0)] = 0.0
    initial_accumulator_value: Annotated[float, Field(ge=0)] = 0.0
    eps: Epsilon = 1e-10


class Muon(Arguments):
    """`torch.optim.Muon` (Jordan et al. 2024) for parameters of two and more dimensions, AdamW for the others.

    A convolution's weight is a matrix with a row for each output channel. Both have one learning rate, which
    ``adjust_lr_fn = match_rms_adamw`` scales so that a rate for AdamW suits Muon (Liu et al. 2025). ``betas`` are
    AdamW's.
    """

    momentum: Decay = 0.95
    nesterov: bool = True
    ns_steps: Annotated[int, Field(ge=1, lt=100)] = 5
    eps: Epsilon = 1e-7
    adjust_lr_fn: Literal["original", "match_rms_adamw"] = "original"
    betas: tuple[Decay, Decay] = (0.9, 0.999)


OPTIMISERS: dict[str, type[Arguments]] = {
    arguments.__name__.lower(): arguments for arguments in (SGD, Adam, AdamW, NAdam, RAdam, RMSprop, Adagrad, Muon)
}
"""The arguments of each optimiser by its name."""


def registered(name: str) -> str:
    """The name, if it is an optimiser's.

    Raises:
        ValueError: it is none.
    """
    if name not in OPTIMISERS:
        raise ValueError(f"unknown optimiser {name!r}; allowed are {', '.join(OPTIMISERS)}")
    return name


def validated_arguments(name: str, given: Mapping[str, object]) -> dict[str, JsonValue]:
    """The given arguments of an optimiser that differ from their defaults, in JSON.

    Raises:
        ValueError: an argument that it does not have, or a value out of range.
    """
    try:
        arguments = OPTIMISERS[name].model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        argument, allowed = str(first["loc"][0]), ", ".join(OPTIMISERS[name].model_fields)
        if first["type"] == "extra_forbidden":
            raise ValueError(f"optimiser {name} has no argument {argument!r}; allowed are {allowed}") from None
        message = first["msg"][0].lower() + first["msg"][1:]
        raise ValueError(f"argument {argument} = {given[argument]!r} of optimiser {name}: {message}") from None
    changed = normalise(arguments.model_dump(mode="json", exclude_defaults=True))
    assert isinstance(changed, dict)
    return changed
