"""Half precision and what stays in single; TF32 is for GPUs."""

import pytest
import torch

from ban_ray.errors import UserError
from ban_ray.specs import Recipe
from ban_ray.tasks.image_data import ImageData
from ban_ray.training import train
from ban_ray.training.precision import autocast, set_precision
from tests.conftest import CPU, MakeGeneration
from tests.helpers.training_spies import a_teacher, same_bits, same_training


def test_bf16_runs_with_parameters_and_statistics_in_single_precision(
    data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner: set[tuple[str, torch.dtype]] = set()
    real = torch.nn.Module.__call__

    def spy(self: torch.nn.Module, *inputs: torch.Tensor, **named: torch.Tensor) -> object:
        made = real(self, *inputs, **named)
        if isinstance(made, torch.Tensor) and isinstance(self, torch.nn.Conv2d | torch.nn.Linear):
            inner.add((type(self).__name__, made.dtype))
        return made

    half = make_generation("ban+l", precision="bf16", teachers=("1" * 64,))
    teacher = a_teacher(data)
    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.Module, "__call__", spy)
        made = train(half, teacher, data, CPU)
    assert inner == {("Conv2d", torch.bfloat16), ("Linear", torch.bfloat16)}, "training, teaching and evaluation"
    for name, tensor in made.weights.items():
        assert tensor.dtype == (torch.int64 if "num_batches" in name else torch.float32), name
    assert made.test.dtype == made.held_out.dtype == torch.float32
    assert same_training(made, train(half, a_teacher(data), data, CPU))
    single = train(make_generation("ban+l", teachers=("1" * 64,)), a_teacher(data), data, CPU)
    assert not same_bits(single.weights, made.weights)
    assert made.history[-1]["loss"] == pytest.approx(single.history[-1]["loss"], rel=0.05)


def test_fp32_is_single_precision_throughout(
    data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    train(make_generation(epochs=1), None, data, CPU)
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    with autocast(Recipe(), CPU):
        assert not torch.is_autocast_enabled("cpu")
    with autocast(Recipe(precision="bf16"), CPU):
        assert torch.is_autocast_enabled("cpu")
        assert torch.get_autocast_dtype("cpu") == torch.bfloat16


def test_tf32_without_a_gpu_is_refused(data: ImageData, make_generation: MakeGeneration) -> None:
    with pytest.raises(UserError, match=r"^precision tf32 needs a GPU; on cpu fp32 and bf16 are allowed$"):
        train(make_generation(precision="tf32"), None, data, CPU)


def test_tf32_on_a_gpu_is_switched_on() -> None:
    set_precision(Recipe(precision="tf32"), torch.device("cuda"))
    assert torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.allow_tf32
    set_precision(Recipe(), torch.device("cuda"))
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
