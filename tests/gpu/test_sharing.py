"""Processes that share a GPU, and a process group of NCCL."""

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch

from ban_ray.specs import Generation, Task
from ban_ray.tasks.image_data import ImageData, load_images
from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from ban_ray.training import train
from ban_ray.training.execution import ExecutionOptions
from ban_ray.training.precision import limit_memory
from tests.conftest import MakeGeneration
from tests.helpers.training_spies import same_bits

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is at hand"),
]

GPU = torch.device("cuda")
EXACT = ExecutionOptions(deterministic=True)


def digits_on_gpu(task: Task) -> ImageData:
    dataset = open_source(Source(name="digits"))
    assert isinstance(dataset, ImageDataset)
    return load_images(task, dataset, GPU)


def train_on_a_part(gpus: float, generation: Generation, out: str) -> None:
    torch.cuda.set_device(0)
    limit_memory(gpus, torch.device("cuda", 0))
    result = train(generation, None, digits_on_gpu(generation.task), GPU, options=EXACT)
    torch.save(result.weights, out)


def take_too_much(gpus: float, out: str) -> None:
    torch.cuda.set_device(0)
    limit_memory(gpus, torch.device("cuda", 0))
    total = torch.cuda.get_device_properties(0).total_memory
    try:
        torch.empty(int(gpus * total), dtype=torch.uint8, device=GPU)
    except torch.OutOfMemoryError:
        Path(out).write_text("refused")


def train_in_a_group(generation: Generation, folder: str) -> None:
    torch.cuda.set_device(0)
    torch.distributed.init_process_group("nccl", init_method=f"file://{folder}/meeting", rank=0, world_size=1)
    result = train(generation, None, digits_on_gpu(generation.task), GPU, options=EXACT)
    torch.save(result.weights, f"{folder}/weights")
    torch.distributed.destroy_process_group()


def run_together(*calls: tuple[Any, ...]) -> list[int | None]:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=function, args=arguments) for function, *arguments in calls]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    return [process.exitcode for process in processes]


def test_four_trainings_share_a_gpu(make_generation: MakeGeneration, task: Task, tmp_path: Path) -> None:
    """Each gets the bits that it gets alone; one that asks for more than its part is refused it."""
    generations = [make_generation(network="wide-resnet-10-1", batch_size=50, seed=seed) for seed in range(3)]
    alone = [train(generation, None, digits_on_gpu(task), GPU, options=EXACT).weights for generation in generations]
    files = [str(tmp_path / str(number)) for number in range(4)]
    calls = [(train_on_a_part, 0.25, generation, file) for generation, file in zip(generations, files, strict=False)]
    assert run_together(*calls, (take_too_much, 0.25, files[3])) == [0, 0, 0, 0]
    for weights, file in zip(alone, files, strict=False):
        assert same_bits(weights, torch.load(file, weights_only=True))
    assert Path(files[3]).read_text() == "refused"


def test_a_group_of_one_worker_trains_the_same_bits(
    make_generation: MakeGeneration, task: Task, tmp_path: Path
) -> None:
    generation = make_generation(network="wide-resnet-10-1", batch_size=50)
    alone = train(generation, None, digits_on_gpu(task), GPU, options=EXACT).weights
    assert run_together((train_in_a_group, generation, str(tmp_path))) == [0]
    assert same_bits(alone, torch.load(tmp_path / "weights", weights_only=True))
