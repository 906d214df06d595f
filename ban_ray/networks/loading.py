"""Loading weights into a network."""

from collections.abc import Mapping

from torch import Tensor, nn

from ban_ray.errors import UserError


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
