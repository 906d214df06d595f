"""A warning where bf16 is slower than fp32, as on processors that compute it in software."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ban_ray.search.config.spec import SearchSpec
from ban_ray.search.plan.cost import measure_step_cached, step_config
from ban_ray.search.plan.step_benchmark import CPU_THREAD
from ban_ray.specs import Generation

NATIVE_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""Linux's names of the instructions that compute bf16, on x86 and on ARM."""


def slow_precision_sentence(
    spec: SearchSpec, generation: Generation, generations_by_key: Mapping[str, Generation]
) -> str | None:
    """A sentence with a step's times in both precisions, if the generation's is bf16 and that is slower than fp32 here.

    Measures one step in each precision, once on a machine, if its processor has no such instructions and it has no GPU.

    Args:
        generations_by_key: the generation's teachers.
    """
    if generation.recipe.precision != "bf16" or has_native_bf16() or any(Path("/dev").glob("nvidia[0-9]*")):
        return None
    config = step_config(spec, generation, generations_by_key)
    bf16, fp32 = measure_step_cached(config), measure_step_cached(replace(config, precision="fp32"))
    if bf16.device != CPU_THREAD or bf16.seconds <= fp32.seconds:
        return None
    return (
        f"A training step of {generation.network} takes {bf16.seconds:.2g} s in bf16 and {fp32.seconds:.2g} s in fp32 "
        "on one thread here, since this processor has no instructions for bf16: --precision fp32 is faster"
    )


def has_native_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor of this machine has instructions for bf16; False if the system does not say."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return False
    flags = (line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features")))
    return not NATIVE_FLAGS.isdisjoint(next(flags, ()))
