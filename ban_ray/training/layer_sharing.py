"""Students that share the teacher's first convolution and last linear layer (ICML 2018, BAN-ResNets)."""

import torch
from torch import nn

from ban_ray.errors import UserError
from ban_ray.training.teacher import Teacher

LAYERS = ("stem", "classifier")


def share_layers(student: nn.Module, teacher: Teacher | None, *, frozen: bool) -> None:
    """Copy both layers from the first teacher; they are not trained if `frozen`.

    Raises:
        UserError: there is no teacher, a network has no such layers, or their shapes differ.
    """
    if teacher is None:
        raise UserError("shared layers need a teacher, and none was given")
    for name in LAYERS:
        layer, source = getattr(student, name, None), getattr(teacher.networks[0], name, None)
        if not isinstance(layer, nn.Module) or not isinstance(source, nn.Module):
            raise UserError(f"a network without a layer {name!r} cannot share it; the networks of this project can")
        own, given = layer.state_dict(), source.state_dict()
        shapes = {key: (tuple(tensor.shape), tuple(given[key].shape)) for key, tensor in own.items() if key in given}
        if own.keys() != given.keys() or any(a != b for a, b in shapes.values()):
            raise UserError(f"layer {name!r} cannot be shared: the student's and the teacher's shapes are {shapes}")
        with torch.no_grad():
            layer.load_state_dict(given)
        layer.requires_grad_(not frozen)
