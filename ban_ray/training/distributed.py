"""The processes that train a generation together: those of torch.distributed if it is initialised, else this one."""

import inspect
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ban_ray.objectives import WorkerReduction


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def all_reduce_sum(tensor: Tensor) -> Tensor:
    """The sum over all workers, returned on each of them."""
    if world_size() > 1:
        tensor = tensor.clone()
        dist.all_reduce(tensor)
    return tensor


def all_reduce_any(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set on any worker, returned on each of them."""
    return bool(all_reduce_sum(torch.tensor(float(flag), device=device)).item())


def workers() -> WorkerReduction:
    return WorkerReduction(world_size(), all_reduce_sum, rank())


def wrap_ddp(network: nn.Module) -> nn.Module:
    """The network with gradients averaged over the workers; the network itself if there is one worker.

    Running statistics are not synchronised, since training does not read them; rank 0's are evaluated and published.
    """
    if world_size() == 1:
        return network
    # Torch 2.14 renamed the option.
    parameters = inspect.signature(DistributedDataParallel.__init__).parameters
    option = "forward_sync_buffers" if "forward_sync_buffers" in parameters else "broadcast_buffers"
    options: dict[str, Any] = {option: False}
    return DistributedDataParallel(network, gradient_as_bucket_view=True, **options)


def broadcast(value: object) -> object:
    """Rank 0's value, returned on each worker."""
    if world_size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0, device=torch.device("cpu") if dist.get_backend() == "gloo" else None)
    return box[0]
