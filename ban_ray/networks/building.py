"""From a network's name to its module."""

from collections.abc import Mapping

from torch import nn

from ban_ray.errors import UserError
from ban_ray.networks.architecture import FAMILIES
from ban_ray.networks.modules.character_cnn import CharacterCNN
from ban_ray.networks.modules.recomputation import Recomputable
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
        if isinstance(module, Recomputable):
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
