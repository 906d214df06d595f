"""From a network's name to its module."""

from collections.abc import Mapping

from torch import Tensor, nn

from ban_ray.errors import UserError
from ban_ray.networks.architecture import FAMILIES
from ban_ray.networks.modules.character_cnn import CharacterCNN
from ban_ray.networks.modules.layers import DenseUnit
from ban_ray.networks.registry import check_fits, parse
from ban_ray.networks.source_version import require_version
from ban_ray.tasks.task_data import TaskData
from ban_ray.tasks.text_data import TextData


def build(
    name: str,
    num_classes: int,
    in_channels: int = 3,
    arguments: Mapping[str, object] | None = None,
    *,
    version: str = "",
    recompute: bool = False,
) -> nn.Module:
    """A freshly initialised network: (b, in_channels, h, w) to logits (b, num_classes).

    A language model takes tokens (t, b) to logits (t * b, num_classes), step by step; `num_classes` is the size of its
    vocabulary, whose words are spelled with `in_channels` characters. Random numbers come from torch's global
    generator; on the meta device nothing is allocated.

    Args:
        name: one of the forms of `ban_ray.networks.registry`.
        arguments: passed to a builder outside this package.
        version: of a builder of the user's, as generations have it; where it was computed from code, no other is built.
        recompute: store fewer activations of dense units and compute them again in the backward pass: the same
            bits, less memory, more time.

    Raises:
        UserError: an unknown name, numbers out of range, arguments that are not taken, a builder that fails or is of
            another version, or `recompute` for a network without dense units.
    """
    architecture = parse(name, arguments)
    require_version(architecture, version)
    if recompute and not architecture.recomputable:
        forms = " and ".join(family.FORM for family in FAMILIES if family.recomputable)
        raise UserError(f"network {architecture.name} has no dense units to recompute; only {forms} can be recomputed")
    network = architecture.build(num_classes, in_channels)
    for module in network.modules() if recompute else ():
        if isinstance(module, DenseUnit):
            module.recompute = True
    return network


def build_for(
    data: TaskData,
    name: str,
    arguments: Mapping[str, object] | None = None,
    *,
    version: str = "",
    recompute: bool = False,
) -> nn.Module:
    """`build` for a task's data; a network that reads words by their characters is given their spellings.

    Args:
        recompute: as of `build`; without effect on a network that has nothing to recompute.

    Raises:
        UserError: as `build` does, or the network does not read such data.
    """
    architecture = parse(name, arguments)
    check_fits(architecture, data.task)
    recompute = recompute and architecture.recomputable
    network = build(name, data.num_classes, data.in_channels, arguments, version=version, recompute=recompute)
    if isinstance(data, TextData):
        for module in network.modules():
            if isinstance(module, CharacterCNN):
                module.set_vocabulary(data.spellings())
    return network


def load_into(network: nn.Module, tensors: Mapping[str, Tensor], whose: str, name: str) -> None:
    """Give a network its weights; all of them are needed, and no others.

    Args:
        whose: the file or the member that the weights are from, for the message.
        name: of the network.

    Raises:
        UserError: a tensor is missing, unknown, or of another shape; the first one is named.
    """
    expected = network.state_dict()
    shared = [key for key in expected if key in tensors]
    for problem, names in (
        ("lacks", [key for key in expected if key not in tensors]),
        ("holds what the network has not:", [key for key in tensors if key not in expected]),
        ("has another shape for", [key for key in shared if expected[key].shape != tensors[key].shape]),
    ):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise UserError(f"{whose} does not fit {name}: it {problem} {names[0][:100]}{more}")
    network.load_state_dict(dict(tensors))
