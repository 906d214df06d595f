"""The measurement of a step on a GPU, for plans."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch

from ban_ray.search.plan.step_benchmark import StepConfig, measure_step

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is at hand"),
]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_is_measured_as_a_graph(precision: str) -> None:
    """A step of 500 kernels takes more than 3 ms if they are launched one by one."""
    config = StepConfig("wide-resnet-28-1", "{}", (), 100, 3, (32, 32, 3), 128, 1, precision)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        measured = pool.submit(measure_step, config).result()
    assert measured.device == torch.cuda.get_device_name()
    assert measured.devices == torch.cuda.device_count()
    assert 0 < measured.seconds < 0.01
    assert 50 * 2**20 < measured.peak_bytes < measured.memory_bytes
