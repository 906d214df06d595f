"""A network's weights put into it; all of them must be there and fit."""

from collections.abc import Mapping

from torch import Tensor, nn

from ban_ray.errors import UserError


def load_into(network: nn.Module, tensors: Mapping[str, Tensor], whose: str, name: str) -> None:
    """Give a network its weights.

    Args:
        whose: the file or the member that the weights are from, for the message.
        name: the network's.

    Raises:
        UserError: the first that is missing, too many, or of another shape.
    """
    wanted = network.state_dict()
    for problem, names in (
        ("lacks", [key for key in wanted if key not in tensors]),
        ("holds what the network has not:", [key for key in tensors if key not in wanted]),
        (
            "has another shape for",
            [key for key in wanted if key in tensors and wanted[key].shape != tensors[key].shape],
        ),
    ):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise UserError(f"{whose} does not fit {name}: it {problem} {names[0][:100]}{more}")
    network.load_state_dict(dict(tensors))
