"""Names of networks, parsed without torch."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from ban_ray.errors import UserError
from ban_ray.networks.architecture import Architecture
from ban_ray.networks.families.densenet import HALF, DenseNetBC
from ban_ray.networks.families.external import (
    CUSTOM_FORM,
    TORCHVISION_FORM,
    CustomNetwork,
    TorchvisionNetwork,
    as_text,
    parse_external,
)
from ban_ray.networks.families.language import (
    CNN_DROPOUT,
    LSTM_DROPOUT,
    CharacterNetwork,
    LanguageArchitecture,
    LSTMNetwork,
)
from ban_ray.networks.families.match_densenet import TEACHER, MatchDenseNet
from ban_ray.networks.families.match_resnet import MatchPreResNet, MatchWideResNet
from ban_ray.networks.families.resnet import PreResNet, WideResNet
from ban_ray.tasks.catalog import TASK_TYPES

__all__ = [
    "FORMS",
    "Architecture",
    "CharacterNetwork",
    "CustomNetwork",
    "DenseNetBC",
    "LSTMNetwork",
    "LanguageArchitecture",
    "MatchDenseNet",
    "MatchPreResNet",
    "MatchWideResNet",
    "PreResNet",
    "TorchvisionNetwork",
    "WideResNet",
    "check_fits",
    "parse",
]

_WHOLE = r"0*([0-9]{1,4})"
_DECIMAL = r"([0-9]{1,4}(?:\.[0-9]{1,6})?|\.[0-9]{1,6})"
_DENSENET = rf"densenet-bc-{_WHOLE}-{_WHOLE}(?:-c{_DECIMAL})?"
_TARGET = rf"(?:@{_DENSENET})?"


def _densenet(depth: str, growth: str, compression: str | None) -> DenseNetBC:
    return DenseNetBC(int(depth), int(growth), Decimal(compression) if compression else HALF)


def _target(depth: str | None, growth: str | None, compression: str | None) -> DenseNetBC:
    return _densenet(depth, growth, compression) if depth and growth else TEACHER


def _match_densenet(units: str, ratio_in: str, ratio_out: str, *target: str | None) -> MatchDenseNet:
    return MatchDenseNet(int(units), Decimal(ratio_in), Decimal(ratio_out), _target(*target))


def _dropout(text: str | None, usual: Decimal) -> Decimal:
    return Decimal(text) if text else usual


_OURS: dict[str, tuple[str, Callable[..., Architecture]]] = {
    "densenet-bc-DEPTH-GROWTH[-cCOMPRESSION]": (_DENSENET, _densenet),
    "wide-resnet-DEPTH-WIDTH": (
        rf"wide-resnet-{_WHOLE}-{_WHOLE}",
        lambda depth, width: WideResNet(int(depth), int(width)),
    ),
    "pre-resnet-DEPTH": (rf"pre-resnet-{_WHOLE}", lambda depth: PreResNet(int(depth))),
    "match-densenet-UNITS-RIN-ROUT[@densenet-bc-...]": (
        rf"match-densenet-{_WHOLE}-{_DECIMAL}-{_DECIMAL}{_TARGET}",
        _match_densenet,
    ),
    "match-wide-resnet-UNITS-RATIO[@densenet-bc-...]": (
        rf"match-wide-resnet-{_WHOLE}-{_DECIMAL}{_TARGET}",
        lambda units, ratio, *target: MatchWideResNet(int(units), Decimal(ratio), _target(*target)),
    ),
    "match-pre-resnet-UNITS-RATIO[@densenet-bc-...]": (
        rf"match-pre-resnet-{_WHOLE}-{_DECIMAL}{_TARGET}",
        lambda units, ratio, *target: MatchPreResNet(int(units), Decimal(ratio), _target(*target)),
    ),
    "lstm-LAYERS-UNITS[-dDROPOUT]": (
        rf"lstm-{_WHOLE}-{_WHOLE}(?:-d{_DECIMAL})?",
        lambda layers, units, dropout: LSTMNetwork(_dropout(dropout, LSTM_DROPOUT), int(layers), int(units)),
    ),
    "cnn-lstm[-UNITS][-dDROPOUT]": (
        rf"cnn-lstm(?:-0*([1-9][0-9]{{0,3}}))?(?:-d{_DECIMAL})?",
        lambda units, dropout: CharacterNetwork(_dropout(dropout, CNN_DROPOUT), int(units or 0)),
    ),
}
DENSE = (DenseNetBC, MatchDenseNet)
"""Families whose units can be recomputed."""

FORMS = (*_OURS, CUSTOM_FORM, TORCHVISION_FORM)
"""The forms that a name may have."""


def check_fits(architecture: Architecture, task: str) -> None:
    """Refuse a network of this package that reads images where there is text, or the other way round.

    Raises:
        UserError: it does; a network of the user's is taken at its word.
    """
    text = TASK_TYPES[task].text if task in TASK_TYPES else False
    if isinstance(architecture, CustomNetwork) or isinstance(architecture, LanguageArchitecture) == text:
        return
    reads, allowed = ("images", "lstm-LAYERS-UNITS and cnn-lstm are") if text else ("text", "networks for images are")
    raise UserError(f"network {architecture.name} reads {reads}, which task {task} does not have; {allowed} allowed")


def parse(name: str, arguments: Mapping[str, object] | None = None) -> Architecture:
    """The architecture of a name.

    Args:
        name: one of `FORMS`; whole numbers up to 9999, ratios as decimals.
        arguments: of a builder outside this package; the networks of this package take none.

    Raises:
        UserError: a name of no known form, numbers out of range, or arguments for a network that takes none.
    """
    if ":" in name:
        return parse_external(name, arguments or {})
    for pattern, make in _OURS.values():
        if match := re.fullmatch(pattern, name):
            architecture = make(*match.groups())
            if arguments:
                raise UserError(
                    f"network {architecture.name} takes no arguments and was given {as_text(arguments)}; "
                    f"only {CUSTOM_FORM} and {TORCHVISION_FORM} take some"
                )
            return architecture
    raise UserError(
        f"unknown network {name!r}; allowed are {', '.join(FORMS)}, where DEPTH, GROWTH, WIDTH, LAYERS and "
        "UNITS are whole numbers up to 9999 and RIN, ROUT, RATIO, COMPRESSION and DROPOUT decimals such as 0.5"
    )
