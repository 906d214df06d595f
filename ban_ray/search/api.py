"""A search from Python: the same as the command, with a table of generations as its result."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import JsonValue

from ban_ray.search.config.options import SearchOptions
from ban_ray.search.search import SearchResult, search

if TYPE_CHECKING:
    import pandas as pd

    from ban_ray.evaluation.metrics import Metric
    from ban_ray.population import Member


def train_chain(
    network: str,
    *,
    task: str | None = None,
    data: str | None = None,
    image_size: str | int | tuple[int, int] | None = None,
    label_column: str | None = None,
    tokens: str | None = None,
    download: bool = False,
    generations: int | None = None,
    objective: str | None = None,
    seeds: Sequence[int] | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    precision: str | None = None,
    label_noise: float | None = None,
    split_seed: int = 0,
    protocol: str | None = None,
    workers: int | None = None,
    cpus_per_worker: int = 1,
    gpus_per_worker: float | None = None,
    network_args: Mapping[str, JsonValue] | None = None,
    network_version: str | None = None,
    teacher: str = "parent",
    teacher_cache: str | None = None,
    recompute: bool = False,
    storage: str = "./ban_runs",
    name: str | None = None,
    concurrent: int | None = None,
    address: str | None = None,
    working_dir: str | None = None,
    retry_failed: bool = False,
) -> "pd.DataFrame":
    """Train one chain for each seed, or take it from the population: ``--space chain`` as a call.

    Example::

        from ban_ray.search.api import train_chain

        generations = train_chain("densenet-bc-16-8", generations=2, seeds=[0, 1])
        generations.groupby("generation")["test_error"].mean()

    Args:
        network: a paper's name, ``torchvision:NAME``, or ``module:function`` that every worker can import.
        network_version: in place of the digest of the builder's code, which is part of the key otherwise.
        task, data, image_size, ...: as the options of the same names; None takes the space's own.

    Returns:
        A row for each generation of each seed: ``seed``, ``generation`` (0 is the baseline), ``network``,
        ``objective``, ``parameters``, ``held_out_error`` and ``test_error`` (percent), ``test_gain`` (points below
        the baseline's error), ``seconds`` of training, ``key``. Of text the metric is ``perplexity`` (of characters
        ``bits_per_character``) in place of ``error``, and the gain is in log percent or bits. Chains that failed have
        the generations that were published, and a sentence each in ``attrs["failed"]``.

    Raises:
        UserError: an argument cannot be used; the message says which and what is allowed.
    """
    finished = search(
        SearchOptions(
            space="chain",
            network=network,
            network_args=json.dumps(dict(network_args)) if network_args else None,
            network_version=network_version,
            task=task,
            data=data,
            image_size=_side(image_size),
            label_column=label_column,
            tokens=tokens,
            download=download,
            generations=generations,
            objective=objective,
            seeds=tuple(seeds) if seeds is not None else None,
            epochs=epochs,
            batch_size=batch_size,
            precision=precision,
            label_noise=label_noise,
            split_seed=split_seed,
            protocol=protocol,
            workers=workers,
            cpus_per_worker=cpus_per_worker,
            gpus_per_worker=gpus_per_worker,
            storage=storage,
            name=name,
            concurrent=concurrent,
            address=address,
            working_dir=working_dir,
            retry_failed=retry_failed,
            teacher=teacher,
            teacher_cache=teacher_cache,
            recompute=recompute,
            command=f"ban_ray.search.api.train_chain({network!r}, ...)",
        )
    )
    assert finished is not None
    return _frame(finished)


def _side(size: str | int | tuple[int, int] | None) -> str | None:
    """As the command line has it."""
    return "x".join(map(str, size)) if isinstance(size, tuple) else None if size is None else str(size)


def _test(metric: "Metric", member: "Member") -> float:
    value = metric.value_of(member)
    assert value is not None
    return value


def _frame(finished: SearchResult) -> "pd.DataFrame":
    import pandas as pd

    rows = []
    for planned in finished.request.chains:
        metric = planned.metric
        members = [finished.population.get(key) for key in planned.chain.keys]
        published = [(number, member) for number, member in enumerate(members) if member is not None]
        for number, member in published:
            rows.append(
                {
                    "seed": planned.seed,
                    "generation": number,
                    "network": member.generation.network,
                    "objective": str(member.generation.objective),
                    "parameters": member.parameters,
                    f"held_out_{metric.key}": metric.value_of(member, "held_out"),
                    f"test_{metric.key}": metric.value_of(member),
                    "test_gain": metric.difference(_test(metric, published[0][1]), _test(metric, member)),
                    "seconds": member.provenance.get("seconds"),
                    "key": member.key,
                }
            )
    frame = pd.DataFrame(rows, columns=_columns(finished.request.chains[0].metric))
    frame.attrs["failed"] = {planned.title: sentence for planned, sentence in finished.failed}
    return frame


def _columns(metric: "Metric") -> list[str]:
    return [
        *("seed", "generation", "network", "objective", "parameters"),
        *(f"held_out_{metric.key}", f"test_{metric.key}", "test_gain", "seconds", "key"),
    ]
