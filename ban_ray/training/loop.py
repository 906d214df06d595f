"""The training loop of one generation."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from ban_ray.errors import GenerationFailed, UserError
from ban_ray.evaluation.metrics import PERPLEXITY, error_percent, mean_log_likelihood
from ban_ray.networks.building import build_for
from ban_ray.networks.head import head_parameters
from ban_ray.networks.modules.recurrent import reset_state
from ban_ray.networks.pretrained import start_from
from ban_ray.specs import Generation, derive_seed
from ban_ray.tasks.batches import copy_to, steps_per_epoch
from ban_ray.tasks.catalog import metric_of
from ban_ray.tasks.task_data import TaskData
from ban_ray.training import distributed
from ban_ray.training.averaging import make_averaging
from ban_ray.training.cuda_graph import GraphedStep
from ban_ray.training.evaluation import evaluate
from ban_ray.training.execution import DEFAULTS, ExecutionOptions
from ban_ray.training.meters import Meters
from ban_ray.training.own_average import OwnAverage
from ban_ray.training.precision import autocast, set_determinism, set_precision, to_device
from ban_ray.training.step import StepInputs, TrainingStep
from ban_ray.training.teacher import Teacher, share_layers
from ban_ray.training.teacher_cache.cache import CachedTeacher
from ban_ray.training.teacher_cache.shared_memory import SharedMemoryTable
from ban_ray.training.torch_optimiser import make_optimiser

State = dict[str, Any]
"""What a resume needs: ``epoch`` (number of epochs done), ``model``, ``optimiser``, ``history``, ``resumed``, the
epochs after which the training was resumed before, ``average`` of a recipe that averages weights, and ``own_average``
of an objective that needs it."""

Record = dict[str, float | int | None]
"""One epoch of a history; `ban_ray.population.member.History` lists the columns and their units."""

FINITE_CHECK_STEPS = 50

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class TrainingResult:
    """A finished generation.

    Attributes:
        weights: state dict on the CPU; batch-norm statistics are rank 0's; averaged if the recipe says so.
        parameters: number of the network's parameters, frozen ones included.
        held_out, test: outputs (n, ...), of images log-probabilities (n, classes) in float32; n is 0 on workers other
            than rank 0 and for a part without samples.
        history: a record for each epoch, of the weights that would be published after it.
        resumed: the epochs after which the training was resumed, in order.
    """

    weights: dict[str, Tensor]
    parameters: int
    held_out: Tensor
    test: Tensor
    history: list[Record]
    resumed: list[int]


def train(
    generation: Generation,
    teacher: Teacher | None,
    data: TaskData,
    device: torch.device,
    *,
    initial_weights: Mapping[str, Tensor] | None = None,
    table: SharedMemoryTable | None = None,
    options: ExecutionOptions = DEFAULTS,
    state: State | None = None,
    after_epoch: Callable[[State], None] | None = None,
    before_step: Callable[[], None] | None = None,
) -> TrainingResult:
    """Train one generation; on a CPU the same arguments give the same bits, with or without a `state`.

    If torch.distributed is initialised, every worker calls this with the same arguments and trains on its part of each
    batch. Rank 0 evaluates.

    Args:
        initial_weights: those that the generation names; None where it names none.
        table: of the teacher's outputs, for a recipe that has them cached; the bits are the same without.
        options: how to train it, which changes no bit on a CPU unless it compiles.
        state: resume from this state, which `after_epoch` was given.
        after_epoch: called on every worker at the end of each epoch.
        before_step: called on every worker before each step, and without others between batches of an evaluation; what
            it raises ends the training.

    Raises:
        GenerationFailed: the loss or the predictions are not finite.
        UserError: the recipe does not fit the data or the device, or the network cannot be built.
    """
    recipe, objective, seed = generation.recipe, generation.objective, generation.seed
    rank, workers = distributed.rank(), distributed.workers()
    steps = steps_per_epoch(data.task, len(data.train), recipe)
    if workers.count != recipe.workers:
        raise UserError(f"the recipe needs {recipe.workers} workers and {workers.count} run")
    local = recipe.batch_size // workers.count
    worker_slice = slice(rank * local, (rank + 1) * local)
    if recipe.teacher_outputs == "cached" and not data.views:
        raise UserError(f"teacher_outputs = cached is for images; the inputs of task {data.task} have no views")
    if recipe.held_out_field and not len(data.held_out):
        raise UserError(f"{recipe.held_out_field} needs held-out data, of which protocol paper leaves none here")
    if (initial_weights is None) != (generation.initial_weights is None):
        raise UserError("a generation is trained with the initial weights that it names, and with no others")

    set_precision(recipe, device)
    set_determinism(options.deterministic, device)
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(seed, "initialisation"))
        network = build_for(
            data,
            generation.network,
            generation.network_arguments or None,
            version=generation.network_version,
            recompute=options.recompute,
        )
    if initial_weights is not None:
        whose = f"{(generation.initial_weights or '')[:12]}.safetensors"
        start_from(network, data.num_classes, initial_weights, whose, generation.network)
    if generation.shared_layers != "none":
        share_layers(network, teacher, frozen=generation.shared_layers == "frozen")
    to_device(network, device)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    head = head_parameters(network, data.num_classes)
    if recipe.body_learning_rate != 1 and not head:
        raise UserError(
            f"body_learning_rate = {recipe.body_learning_rate:g} needs a head, and {generation.network} has no linear "
            f"or convolutional layer with {data.num_classes} outputs"
        )
    optimiser = make_optimiser(network.parameters(), recipe, head)
    averaging = make_averaging(network, generation, device)
    history: list[Record] = []
    resumed: list[int] = []
    first = 0
    own_average = OwnAverage(network, objective.teacher_decay) if objective.loss.needs_own_average else None
    if state is not None:
        network.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        averaging.load_state_dict(state)
        if own_average is not None:
            own_average.load_state_dict(state)
        history, first = list(state["history"]), state["epoch"]
        # Checkpoints of earlier versions have no such entry.
        resumed = [*state.get("resumed", ()), first]
    teacher, compute_loss = teacher if objective.needs_teacher else None, objective.loss
    if own_average is not None:
        teacher = own_average.teacher
    # Rank 0 evaluates while the others wait for it in their next step.
    before_batch = before_step if workers.count == 1 else None
    cached = CachedTeacher(local, table) if recipe.teacher_outputs == "cached" else None
    meters = Meters(device)
    training_step = TrainingStep(
        _compiled(distributed.wrap_ddp(network), options),
        None if teacher is None else _compiled(teacher, options),
        compute_loss,
        optimiser,
        meters,
        recipe,
    )
    run_step: Callable[[StepInputs, float | Tensor], None] = training_step
    capturable = device.type == "cuda" and optimiser.capturable
    rate_on_gpu = torch.zeros((), device=device) if capturable else None
    if capturable and options.cuda_graph and workers.count == 1:
        run_step = GraphedStep(training_step, [network] if teacher is None else [network, teacher], generation.network)

    for epoch in range(first, recipe.trained_epochs):
        began = time.perf_counter()
        perplexities = [PERPLEXITY.from_record(record, "held_out") or math.nan for record in history]
        learning_rate = math.nan
        rate: float | Tensor = math.nan
        meters.reset()
        network.train()
        reset_state(network)
        reset_state(teacher)
        for step, (inputs, labels, views, mixed) in enumerate(data.training_batches(generation, epoch, worker_slice)):
            if before_step is not None:
                before_step()
            outputs = None
            if cached is not None and teacher is not None:
                with autocast(recipe, device):
                    outputs = cached.outputs(teacher, inputs, views)
            draws = None
            if compute_loss.draws:
                generator = torch.Generator().manual_seed(derive_seed(seed, compute_loss.draws, epoch, step))
                whole = torch.rand(recipe.unroll, recipe.batch_size, data.num_classes, generator=generator)
                draws = copy_to(device, whole[:, worker_slice].flatten(0, 1))
            torch.manual_seed(derive_seed(seed, "dropout", epoch, step, rank))
            if step == 0 or recipe.rate_changes_in_epochs:
                learning_rate = recipe.learning_rate_at(epoch, perplexities, step=step, steps=steps)
                rate = learning_rate if rate_on_gpu is None else rate_on_gpu.fill_(learning_rate)
            run_step(StepInputs(inputs, labels, outputs, draws, *(mixed or ())), rate)
            averaging.after_step()
            if own_average is not None:
                own_average.after_step()
            checked = (step + 1) % FINITE_CHECK_STEPS == 0 or step + 1 == steps
            if checked and not meters.finite():
                raise GenerationFailed(
                    "non-finite",
                    f"the loss of {generation.network} ({objective}) is not finite in epoch {epoch + 1} of "
                    f"{recipe.epochs}, by step {step + 1} of {steps}; a smaller learning rate than "
                    f"{recipe.learning_rate:g} may help",
                )
        trained_s = time.perf_counter() - began
        record: Record = {
            "epoch": epoch + 1,
            "learning_rate": learning_rate,
            **meters.means(steps * recipe.micro_batches),
            "held_out_error": None,
            "held_out_log_likelihood": None,
            "images_per_second": steps * recipe.batch_size * recipe.unroll / trained_s,
        }
        training_inputs = _training_inputs(data, generation, epoch, worker_slice, before_batch)
        averaging.after_epoch(epoch, training_inputs if rank == 0 else None)
        if rank == 0 and len(data.held_out):
            with averaging.applied():
                outputs = evaluate(network, data, data.held_out, recipe, before_batch)
            stored, true_labels = data.to_stored(outputs), data.held_out.labels.cpu().numpy()
            record["held_out_error"] = error_percent(stored, true_labels)
            record["held_out_log_likelihood"] = mean_log_likelihood(stored, true_labels)
            averaging.after_evaluation(cast(float, metric_of(generation.task).from_record(record, "held_out")))
        if recipe.plateau is not None:
            # Every worker's next learning rate follows from it.
            record["held_out_log_likelihood"] = cast(float, distributed.broadcast(record["held_out_log_likelihood"]))
        if cached is not None and teacher is not None:
            record["teacher_outputs_found"] = cached.hit_rate()
        record["seconds"] = time.perf_counter() - began
        history.append(record)
        if after_epoch is not None:
            after_epoch(
                {
                    "epoch": epoch + 1,
                    "model": network.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "history": history,
                    "resumed": resumed,
                    **averaging.state_dict(),
                    **({} if own_average is None else own_average.state_dict()),
                }
            )

    averaging.apply()
    held_out = test = torch.empty(0, data.num_classes)
    if rank == 0:
        held_out = evaluate(network, data, data.held_out, recipe, before_batch)
        test = evaluate(network, data, data.test, recipe, before_batch)
    # The weights after the last step may not be finite although its loss is.
    if distributed.all_reduce_any(not bool(test.isfinite().all() and held_out.isfinite().all()), device):
        raise GenerationFailed(
            "non-finite",
            f"{generation.network} ({objective}) predicts numbers that are not finite after its last epoch; "
            f"a smaller learning rate than {recipe.learning_rate:g} may help",
        )
    return TrainingResult(
        weights={name: tensor.detach().cpu() for name, tensor in network.state_dict().items()},
        parameters=parameters,
        held_out=held_out,
        test=test,
        history=history,
        resumed=resumed,
    )


def _training_inputs(
    data: TaskData,
    generation: Generation,
    epoch: int,
    worker_slice: slice,
    before_batch: Callable[[], None] | None,
) -> Iterator[Tensor]:
    """The inputs of an epoch's training batches once more; nothing is made before the first is asked for."""
    for batch in data.training_batches(generation, epoch, worker_slice):
        if before_batch is not None:
            before_batch()
        yield batch.inputs


def _compiled(module: Module, options: ExecutionOptions) -> Module:
    return cast(Module, torch.compile(module, dynamic=False)) if options.compile else module
