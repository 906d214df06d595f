"""Students that share the teacher's first convolution and last linear layer (ICML 2018, BAN-ResNets)."""

import torch
from torch import nn

from ban_ray.errors import UserError
from ban_ray.training.teacher import Teacher

LAYERS = ("stem", "classifier")


def share_layers(student: nn.Module, teacher: Teacher | None, *, frozen: bool) -> None:
    """Copy both layers from the first teacher, and keep them out of the training if `frozen`.

    Raises:
        UserError: a network has no such layers, or their shapes differ.
    """
    if teacher is None:
        raise UserError("shared layers need a teacher and none was given")
    for name in LAYERS:
        mine, theirs = getattr(student, name, None), getattr(teacher.networks[0], name, None)
        if not isinstance(mine, nn.Module) or not isinstance(theirs, nn.Module):
            raise UserError(f"a network without a layer {name!r} cannot share it; the networks of this project can")
        own, given = mine.state_dict(), theirs.state_dict()
        shapes = {key: (tuple(tensor.shape), tuple(given[key].shape)) for key, tensor in own.items() if key in given}
        if own.keys() != given.keys() or any(a != b for a, b in shapes.values()):
            raise UserError(f"layer {name!r} cannot be shared: the student's and the teacher's shapes are {shapes}")
        with torch.no_grad():
            mine.load_state_dict(given)
        mine.requires_grad_(not frozen)
