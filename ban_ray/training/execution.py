"""Options of training that are no part of a generation's key; imports no torch."""

from pydantic import BaseModel, ConfigDict


class ExecutionOptions(BaseModel):
    """Options of how a generation is trained on its device.

    Attributes:
        recompute: whether dense units recompute activations in the backward pass: the same bits, less memory, more
            time.
        deterministic: whether a GPU is restricted to algorithms that give the same bits for the same seed; a CPU
            always gives them.
        compile: whether networks are compiled by `torch.compile`, which rounds differently.
        cuda_graph: whether steps on a GPU are captured as CUDA graphs where they can be: the same kernels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recompute: bool = False
    deterministic: bool = False
    compile: bool = False
    cuda_graph: bool = True


DEFAULTS = ExecutionOptions()
