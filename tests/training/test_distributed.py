"""Two real processes over gloo: the update of one, rank 0's statistics, draws that do not know of workers."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ban_ray.population import Population, failures, open_storage
from ban_ray.specs import OBJECTIVES, Chain, Objective, Recipe, Task, born_again
from ban_ray.tasks.image_data import ImageData, sample_crop_flip
from ban_ray.training import train
from ban_ray.training.evaluation import evaluate
from tests.helpers import literal_losses
from tests.helpers.jobs import make_job
from tests.helpers.local_jobs import images_predictions
from tests.helpers.training_spies import CPU, a_teacher, initial_network, same_bits, watch_batches
from tests.training.two_workers import RESUMED, SAMPLES, STEPS, batch, without_batch_norm

REPOSITORY = Path(__file__).parents[2]
BATCH = 100


class Seen:
    """What both processes left behind."""

    def __init__(self, folder: Path, chain: Chain, failing: Chain) -> None:
        self.zero, self.one = (torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
        self.population = Population(open_storage(str(folder / "storage")))
        self.chain, self.failing = chain, failing

    def both(self, name: str) -> tuple[Any, Any]:
        return self.zero["train"][name], self.one["train"][name]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, task: Task) -> Seen:
    folder = tmp_path_factory.mktemp("two")
    recipe = Recipe(epochs=2, batch_size=BATCH, workers=2)
    chain = born_again(task, "densenet-bc-10-4", recipe, Objective(name="cwtm"), seed=0, generations=1)
    hot = recipe.model_copy(update={"learning_rate": 1e6})
    failing = born_again(task, "densenet-bc-10-4", hot, Objective(name="ban"), seed=0, generations=1)
    orders = [
        make_job(str(folder / "storage"), *made.generations, job_id=f"run-{number}").model_dump(mode="json")
        for number, made in enumerate((chain, failing, chain))
    ]
    open_storage(str(folder / "storage"))
    (folder / "orders.json").write_text(json.dumps(orders))
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.two_workers", str(rank), str(folder)],
            cwd=folder,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        for process in processes:
            _, said = process.communicate(timeout=240)
            assert process.returncode == 0, said
    finally:
        for process in processes:
            process.kill()
    return Seen(folder, chain, failing)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_update_of_two_workers_is_that_of_one(seen: Seen, objective: str) -> None:
    alone, together, other = seen.zero["one"][objective], seen.zero["two"][objective], seen.one["two"][objective]
    start = without_batch_norm().state_dict()
    assert same_bits(together, other)
    for name, tensor in alone.items():
        assert (tensor - together[name]).abs().max() < 1e-6, name
        assert (tensor - start[name]).abs().max() > 1e-2, name


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_micro_batches_of_two_workers_are_the_batch_of_one(seen: Seen, objective: str) -> None:
    alone = seen.zero["one"][objective]
    for rank in (seen.zero, seen.one):
        for name, tensor in alone.items():
            assert (tensor - rank["accumulated"][objective][name]).abs().max() < 1e-6, name


@pytest.mark.parametrize("case", [*RESUMED, "self-ema"])
def test_every_kind_of_recipe_of_two_workers_is_resumed_to_the_same_bits(seen: Seen, case: str) -> None:
    """Checkpoints have what the optimiser and the average keep; statistics are of rank 0's samples."""
    zero, one = (rank["resumed"][case] for rank in (seen.zero, seen.one))
    assert same_bits(zero["weights"], zero["resumed"])
    assert torch.equal(zero["test"], zero["resumed_test"])
    parameters = [name for name in zero["weights"] if "running" not in name and "num_batches" not in name]
    # Rank 0 alone knows which epoch was the best.
    if RESUMED.get(case, {}).get("averaging") != "best":
        assert all(torch.equal(zero["weights"][name], one["weights"][name]) for name in parameters)
    assert zero["history"][-1]["loss"] == one["history"][-1]["loss"]


def test_cwtms_update_is_the_literal_one(seen: Seen) -> None:
    """The gradient with respect to the logits from NumPy, carried through the network by hand."""
    network, part = without_batch_norm().double(), batch()
    momenta = [torch.zeros_like(parameter) for parameter in network.parameters()]
    for _ in range(STEPS):
        z = network(part["inputs"].double())
        _, slope = literal_losses.cwtm(z.detach().numpy(), part["labels"].numpy(), part["teacher"].double().numpy())
        gradients = torch.autograd.grad(z, list(network.parameters()), torch.from_numpy(slope))
        with torch.no_grad():
            for parameter, gradient, momentum in zip(network.parameters(), gradients, momenta, strict=True):
                momentum.mul_(0.9).add_(gradient)
                parameter.sub_(0.5 * (gradient + 0.9 * momentum))
    for name, tensor in network.state_dict().items():
        assert (seen.zero["two"]["cwtm"][name].double() - tensor).abs().max() < 1e-6, name


def test_a_workers_own_denominator_would_be_noticed() -> None:
    confidence = batch()["teacher"].exp().max(1).values
    halves = confidence[: SAMPLES // 2].sum(), confidence[SAMPLES // 2 :].sum()
    assert halves[0] > 1.5 * halves[1]


def test_workers_share_each_batch(seen: Seen) -> None:
    """Together they train on the batch that one worker would, with the same draws."""
    generation = seen.chain.generations[-1]
    steps = list(zip(*seen.both("indices"), *seen.both("draws"), strict=True))
    assert len(steps) == 2 * (300 // BATCH)
    epochs: list[list[int]] = [[], []]
    for number, (first, second, first_draws, second_draws) in enumerate(steps):
        assert len(first) == len(second) == BATCH // 2
        epochs[number // 3] += [*first.tolist(), *second.tolist()]
        expected = sample_crop_flip(generation.seed, number // 3, number % 3, BATCH, 1, False)
        together = torch.cat([first_draws, second_draws], 1)
        assert torch.equal(together, torch.stack([expected.down, expected.right, expected.mirror.long()]))
    assert all(sorted(epoch) == list(range(300)) for epoch in epochs)


def test_one_worker_takes_the_same_batches(seen: Seen, data: ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    generation = seen.chain.generations[-1]
    alone = generation.model_copy(update={"recipe": generation.recipe.model_copy(update={"workers": 1})})
    batches = watch_batches(monkeypatch)
    train(alone, a_teacher(data), data, CPU)
    for whole, first, second in zip(batches, *seen.both("indices"), strict=True):
        assert torch.equal(whole.indices, torch.cat([first, second]))
    for whole, first, second in zip(batches, *seen.both("draws"), strict=True):
        assert torch.equal(whole.draws.down, torch.cat([first, second], 1)[0])


def test_parameters_agree_and_statistics_are_rank_0s(seen: Seen, data: ImageData) -> None:
    zero, one = seen.both("weights")
    statistics = {name for name in zero if "running" in name}
    assert statistics
    for name in zero:
        assert torch.equal(zero[name], one[name]) == (name not in statistics), name
    network = initial_network(seen.chain.generations[-1], data)
    network.load_state_dict(zero)
    made = evaluate(network, data, data.test, Recipe())
    torch.testing.assert_close(seen.zero["train"]["test"], made, rtol=1e-5, atol=1e-6)
    assert seen.zero["train"]["test"].shape == (1397, 10)
    assert len(seen.one["train"]["test"]) == 0, "rank 0 alone evaluates"


def test_a_resume_of_two_workers_is_an_undisturbed_run(seen: Seen) -> None:
    whole, resumed = seen.zero["train"]["weights"], seen.zero["train"]["resumed"]
    assert same_bits(whole, resumed), "statistics of batch norm too, which are rank 0's in the state"
    assert torch.equal(seen.zero["train"]["test"], seen.zero["train"]["resumed_test"])
    parameters = [name for name in whole if "running" not in name]
    other = seen.one["train"]["resumed"]
    assert all(torch.equal(whole[name], other[name]) for name in parameters)


def test_losses_are_means_over_both_workers(seen: Seen) -> None:
    zero, one = seen.both("history")
    for first, second in zip(zero, one, strict=True):
        assert first["loss"] == second["loss"]
        assert first["train_error"] == second["train_error"]
        assert first["held_out_error"] is not None


def test_an_order_of_two_workers_is_published_once(seen: Seen) -> None:
    for rank in (seen.zero, seen.one):
        assert [run["outcome"]["status"] for run in rank["work"]] == ["done", "failed", "done"]
    assert [len(run["reports"]) for run in seen.one["work"]] == [0, 0, 0], "rank 0 alone reports"
    assert len(seen.zero["work"][0]["reports"]) == 2 * 3, "each epoch and each publication"
    again = [(record["key"], record["kind"]) for record in seen.zero["work"][2]["reports"]]
    assert again == [(key, "reused") for key in seen.chain.keys], "every member existed already"
    for key in seen.chain.keys:
        member = seen.population[key]
        assert member.provenance["device_seconds"] == pytest.approx(2 * float(str(member.provenance["seconds"])))
        assert np.isfinite(images_predictions(seen.population, member)[1]).all()
        names = {path.split("-")[0] for path in seen.population.storage.list(f"population/{key}")}
        assert names == {"member.json", "weights", "predictions", "history"}
        assert len(seen.population.storage.list(f"population/{key}")) == 4
        assert not seen.population.storage.list(f"unfinished/{key}")
        assert not seen.population.storage.list(f"claims/{key}")


def test_a_loss_that_is_not_finite_ends_both(seen: Seen) -> None:
    sentences = {rank["work"][1]["outcome"]["message"] for rank in (seen.zero, seen.one)}
    assert len(sentences) == 1
    assert "not finite" in sentences.pop()
    failure = failures.lookup(seen.population.storage, seen.failing.keys[0], "another search")
    assert failure is not None
    assert failure.reason == "non-finite"
