"""Training on a GPU beside the same on a CPU, and by a graph beside the same kernels launched one by one."""

import logging
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from ban_ray.specs import Task
from ban_ray.tasks.image_data import ImageData, load_images
from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.tasks.text_data import TextData, load_text
from ban_ray.training import Teacher, TrainingResult, train
from ban_ray.training import cuda_graph as cuda_graph_module
from ban_ray.training.checkpoint import from_bytes, to_bytes
from ban_ray.training.cuda_graph import GraphedStep
from ban_ray.training.execution import ExecutionOptions
from ban_ray.training.precision import to_device
from ban_ray.training.teacher_cache.shared_memory import SharedMemoryTable, bytes_needed
from tests.conftest import CPU, MakeGeneration
from tests.helpers.texts import MakeText
from tests.helpers.training_spies import a_teacher, same_bits, same_training

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is at hand"),
]

GPU = torch.device("cuda")
EXACT = ExecutionOptions(deterministic=True)
ONE_BY_ONE = ExecutionOptions(deterministic=True, cuda_graph=False)
TAUGHT = ("1" * 64,)
OWN = "tests.gpu.own_networks:build"


@pytest.fixture(scope="module")
def on_gpu(digits: ImageDataset, task: Task) -> ImageData:
    return load_images(task, digits, GPU)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[GraphedStep]:
    """The steps that trainings make from now on."""
    made: list[GraphedStep] = []
    real = GraphedStep.__init__

    def spy(self: GraphedStep, *arguments: object) -> None:
        made.append(self)
        real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(GraphedStep, "__init__", spy)
    return made


def teacher_on(device: torch.device, data: ImageData, network: str = "densenet-bc-10-6") -> Teacher:
    return to_device(a_teacher(data, network), device)


def losses(result: TrainingResult) -> list[float]:
    return [float(record["loss"] or math.nan) for record in result.history]


@pytest.mark.parametrize("network", ["densenet-bc-16-8", "pre-resnet-11"])
@pytest.mark.parametrize("objective", ["label", "ban", "ban+l", "cwtm", "dkpp"])
def test_losses_are_those_of_a_cpu(
    data: ImageData, on_gpu: ImageData, make_generation: MakeGeneration, objective: str, network: str
) -> None:
    """Of 20 steps in fp32, each an epoch; all but three of them are replays of a graph."""
    taught = objective != "label"
    generation = make_generation(
        objective,
        network=network,
        epochs=20,
        batch_size=300,
        learning_rate=0.02,
        clip=1.0 if network == "pre-resnet-11" else None,
        teachers=TAUGHT if taught else (),
    )
    by_cpu = train(generation, teacher_on(CPU, data) if taught else None, data, CPU)
    by_gpu = train(generation, teacher_on(GPU, data) if taught else None, on_gpu, GPU)
    assert losses(by_gpu) == pytest.approx(losses(by_cpu), rel=2e-3)
    assert losses(by_gpu)[0] == pytest.approx(losses(by_cpu)[0], rel=1e-5)
    if taught:
        for name in ("teacher_error", "teacher_confidence", "teacher_entropy"):
            expected = [record[name] for record in by_cpu.history]
            assert [record[name] for record in by_gpu.history] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("precision", ["bf16", "tf32"])
def test_other_precisions_stay_near(
    data: ImageData, on_gpu: ImageData, make_generation: MakeGeneration, precision: str, graphs: list[GraphedStep]
) -> None:
    """Losses of 20 steps within 3 % of those in fp32, and not the same numbers."""
    fields = {"network": "pre-resnet-11", "epochs": 20, "batch_size": 300, "learning_rate": 0.02}
    teacher = teacher_on(GPU, data)
    fp32, other = (
        train(make_generation("ban+l", precision=name, teachers=TAUGHT, **fields), teacher, on_gpu, GPU, options=EXACT)
        for name in ("fp32", precision)
    )
    assert losses(other) == pytest.approx(losses(fp32), rel=0.03)
    assert losses(other) != losses(fp32)
    assert all(graph.is_captured for graph in graphs)
    assert not any(tensor.dtype == torch.bfloat16 for tensor in other.weights.values())


@pytest.mark.parametrize("network", ["wide-resnet-10-1", "densenet-bc-16-8", "pre-resnet-11"])
@pytest.mark.parametrize("objective", ["ban+l", "dkpp"])
def test_a_graph_trains_the_bits_of_kernels_launched_one_by_one(
    data: ImageData,
    on_gpu: ImageData,
    make_generation: MakeGeneration,
    network: str,
    objective: str,
    graphs: list[GraphedStep],
) -> None:
    """With dropout, whose random numbers follow the step's seed in both."""
    generation = make_generation(
        objective, network=network, epochs=3, batch_size=50, precision="bf16", clip=2.0, teachers=TAUGHT
    )
    teacher = teacher_on(GPU, data, "wide-resnet-10-1")
    graphed, eager = (train(generation, teacher, on_gpu, GPU, options=options) for options in (EXACT, ONE_BY_ONE))
    assert [graph.is_captured for graph in graphs] == [True]
    assert same_training(graphed, eager)


OTHER_RECIPES: dict[str, dict[str, Any]] = {
    "adam": {"optimiser": "adam", "learning_rate": 1e-3, "schedule": "cosine", "warm_up_epochs": 1},
    "adamw": {"optimiser": "adamw", "learning_rate": 1e-3, "decay": "matrices", "averaging": "ema"},
    "two rates": {"optimiser": "adamw", "learning_rate": 1e-3, "decay": "matrices", "body_learning_rate": 0.1},
    "two rates of sgd": {"schedule": "cosine", "body_learning_rate": 0.1},
    "nadam": {"optimiser": "nadam", "learning_rate": 1e-3, "schedule": "wsd", "decay_part": 0.5},
    "radam": {"optimiser": "radam", "learning_rate": 1e-3, "schedule": "linear"},
    "rmsprop": {"optimiser": "rmsprop", "learning_rate": 1e-3, "schedule": "constant", "clip": 1.0},
    "adagrad": {"optimiser": "adagrad", "learning_rate": 1e-2, "averaging": "swa"},
    "muon": {"optimiser": "muon", "learning_rate": 1e-2, "schedule": "cosine"},
    "sgd": {"decay": "matrices", "warm_up_epochs": 1, "averaging": "swa", "micro_batches": 2},
}


@pytest.mark.parametrize("recipe", OTHER_RECIPES)
def test_other_recipes_train_as_on_a_cpu(
    data: ImageData, on_gpu: ImageData, make_generation: MakeGeneration, recipe: str, graphs: list[GraphedStep]
) -> None:
    """By replays of a graph, whose learning rate changes in every step, where the optimiser can be captured."""
    fields = {"network": "pre-resnet-11", "epochs": 12, "batch_size": 300, "learning_rate": 0.02, "teachers": TAUGHT}
    generation = make_generation("cwtm", **{**fields, **OTHER_RECIPES[recipe]})
    by_cpu = train(generation, teacher_on(CPU, data), data, CPU)
    by_gpu = train(generation, teacher_on(GPU, data), on_gpu, GPU)
    # Muon rounds to half precision; Adam divides by roots of gradients that are nearly zero.
    assert losses(by_gpu) == pytest.approx(losses(by_cpu), rel=0.05)
    assert losses(by_gpu)[0] == pytest.approx(losses(by_cpu)[0], rel=1e-5)
    rates = [record["learning_rate"] for record in by_cpu.history]
    assert [record["learning_rate"] for record in by_gpu.history] == rates
    assert [graph.is_captured for graph in graphs] == ([] if recipe in ("adagrad", "muon") else [True])


@pytest.mark.parametrize("recipe", OTHER_RECIPES)
def test_other_recipes_have_the_bits_of_kernels_launched_one_by_one_and_are_resumed_to_them(
    data: ImageData, on_gpu: ImageData, make_generation: MakeGeneration, recipe: str
) -> None:
    fields = {"network": "wide-resnet-10-1", "epochs": 3, "batch_size": 50, "teachers": TAUGHT}
    generation = make_generation("ban+l", **{**fields, **OTHER_RECIPES[recipe]})
    teacher = teacher_on(GPU, data)
    states: list[bytes] = []
    whole = train(
        generation, teacher, on_gpu, GPU, options=EXACT, after_epoch=lambda state: states.append(to_bytes(state))
    )
    assert same_training(whole, train(generation, teacher, on_gpu, GPU, options=ONE_BY_ONE))
    for state in states[:2]:
        resumed = train(generation, teacher, on_gpu, GPU, options=EXACT, state=from_bytes(state))
        assert same_bits(whole.weights, resumed.weights)


@pytest.mark.parametrize("recipe", OTHER_RECIPES)
def test_no_other_recipe_waits_in_a_step(
    data: ImageData, on_gpu: ImageData, make_generation: MakeGeneration, recipe: str
) -> None:
    """Not even an optimiser that is not captured; averages over steps and the pass of `swa` are between steps."""
    calls = 0

    def before_step() -> None:
        nonlocal calls
        calls += 1
        torch.cuda.set_sync_debug_mode("error" if 6 < calls < 24 else "default")

    fields = {"network": "pre-resnet-11", "epochs": 2, "batch_size": 12, "teachers": TAUGHT}
    generation = make_generation("ban+l", **{**fields, **OTHER_RECIPES[recipe]})
    try:
        train(generation, teacher_on(GPU, data), on_gpu, GPU, before_step=before_step)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert calls >= 50


@pytest.mark.parametrize("options", [EXACT, ONE_BY_ONE])
@pytest.mark.parametrize("network", ["wide-resnet-10-1", "densenet-bc-16-8"])
def test_a_resumed_training_has_the_bits_of_an_undisturbed_one(
    data: ImageData, on_gpu: ImageData, make_generation: MakeGeneration, network: str, options: ExecutionOptions
) -> None:
    generation = make_generation("dkpp", network=network, epochs=4, batch_size=50, precision="bf16", teachers=TAUGHT)
    teacher = teacher_on(GPU, data)
    states: list[bytes] = []
    whole = train(
        generation,
        teacher,
        on_gpu,
        GPU,
        options=options,
        after_epoch=lambda state: states.append(to_bytes(state)),
    )
    again = train(generation, teacher, on_gpu, GPU, options=options)
    assert same_training(whole, again), "the same seed gives the same bits"
    for state in states[:3]:
        resumed = train(generation, teacher, on_gpu, GPU, options=options, state=from_bytes(state))
        assert same_bits(whole.weights, resumed.weights)
        assert torch.equal(whole.test, resumed.test)


def test_seeds_decide_the_dropout_of_a_replay(on_gpu: ImageData, make_generation: MakeGeneration) -> None:
    one, other = (
        train(
            make_generation(network="wide-resnet-10-1", epochs=2, batch_size=50, seed=seed, augmentation_seed=0),
            None,
            on_gpu,
            GPU,
            options=EXACT,
        )
        for seed in (1, 2)
    )
    assert not same_bits(one.weights, other.weights)


def test_recomputed_units_train_the_same_bits(
    data: ImageData, on_gpu: ImageData, make_generation: MakeGeneration
) -> None:
    generation = make_generation("ban", network="densenet-bc-16-8", epochs=2, batch_size=50, teachers=TAUGHT)
    teacher = teacher_on(GPU, data)
    plain, recomputed = (
        train(generation, teacher, on_gpu, GPU, options=ExecutionOptions(deterministic=True, recompute=recompute))
        for recompute in (False, True)
    )
    assert same_training(plain, recomputed)


def test_cached_teacher_outputs_change_no_bit(
    data: ImageData, on_gpu: ImageData, make_generation: MakeGeneration, tmp_path: Path
) -> None:
    generation = make_generation(
        "ban+l", network="densenet-bc-16-8", epochs=3, batch_size=50, teachers=TAUGHT, teacher_outputs="cached"
    )
    teacher, limit = teacher_on(GPU, data), bytes_needed(on_gpu.views, 1000, 10)
    without = train(generation, teacher, on_gpu, GPU, options=EXACT)
    with SharedMemoryTable("teacher", on_gpu.views, 10, limit, tmp_path) as table:
        first, further = (train(generation, teacher, on_gpu, GPU, table=table, options=EXACT) for _ in range(2))
        found = [float(record["teacher_outputs_found"] or 0) for record in further.history]
        assert found == [1.0, 1.0, 1.0] or not len(table), "all are found, unless this GPU's rows depend on neighbours"
    assert same_bits(without.weights, first.weights)
    assert same_bits(without.weights, further.weights)


def test_a_step_waits_for_nothing(
    data: ImageData, on_gpu: ImageData, make_generation: MakeGeneration, graphs: list[GraphedStep]
) -> None:
    """Steps 5 to 24 of an epoch of 25: batches, copies, draws, seeds and replays."""
    calls = 0

    def before_step() -> None:
        nonlocal calls
        calls += 1
        torch.cuda.set_sync_debug_mode("error" if 5 < calls < 25 else "default")

    generation = make_generation("dkpp", network="wide-resnet-10-1", epochs=1, batch_size=12, teachers=TAUGHT)
    try:
        train(generation, teacher_on(GPU, data), on_gpu, GPU, before_step=before_step)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert calls > 25
    assert graphs[0].is_captured


@pytest.mark.parametrize(
    ("between", "sentence"),
    [
        ("nothing", ""),
        ("waits", "waits for the GPU"),
        ("python", "draws random numbers on the CPU"),
        ("torch", "draws random numbers on the CPU"),
        ("counts", "changes calls of Network"),
    ],
)
def test_networks_that_a_graph_would_train_wrongly_are_not_captured(
    on_gpu: ImageData,
    make_generation: MakeGeneration,
    graphs: list[GraphedStep],
    caplog: pytest.LogCaptureFixture,
    between: str,
    sentence: str,
) -> None:
    """One sentence, and the bits of kernels launched one by one."""
    arguments = {"between": between}
    generation = make_generation(network=OWN, network_arguments=arguments, network_version="1", epochs=2, batch_size=50)
    with caplog.at_level(logging.WARNING, cuda_graph_module.__name__):
        graphed = train(generation, None, on_gpu, GPU, options=EXACT)
    assert graphs[0].is_captured == (not sentence)
    assert len(caplog.messages) == bool(sentence)
    assert all(sentence in message and message.startswith(OWN) for message in caplog.messages)
    if between != "python":
        assert same_training(graphed, train(generation, None, on_gpu, GPU, options=ONE_BY_ONE))


def test_a_compiled_network_trains_nearly_the_same(
    data: ImageData, on_gpu: ImageData, make_generation: MakeGeneration
) -> None:
    generation = make_generation(
        "ban+l", network="densenet-bc-10-8", epochs=12, batch_size=300, learning_rate=0.02, teachers=TAUGHT
    )
    teacher = teacher_on(GPU, data)
    plain, compiled = (
        train(generation, teacher, on_gpu, GPU, options=ExecutionOptions(compile=compile)) for compile in (False, True)
    )
    assert losses(compiled) == pytest.approx(losses(plain), rel=2e-3)


@pytest.mark.parametrize("network", ["lstm-1-10-d0", "cnn-lstm-12-d0"])
def test_language_models_train_as_on_a_cpu(
    text_data: TextData, make_text: MakeText, graphs: list[GraphedStep], network: str
) -> None:
    """Their state goes from batch to batch, so no graph is made."""
    generation = make_text(network=network, epochs=3)
    by_cpu = train(generation, None, text_data, CPU)
    by_gpu = train(generation, None, load_text(generation.task, text_data.corpus, GPU), GPU)
    assert losses(by_gpu) == pytest.approx(losses(by_cpu), rel=1e-3)
    assert not graphs[0].is_captured
