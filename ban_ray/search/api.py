"""A search from Python: the same as the command, with a table of generations as its result."""

import inspect
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from ban_ray.cli.params import validated
from ban_ray.errors import UserError
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.search import SearchResult, search

if TYPE_CHECKING:
    import pandas as pd


NOT_KEYWORDS = {"space", "plan_only", "as_json", "command", "settings"}
"""Options of the command that are no keywords of `train_chain`."""
MAPPING_ARGUMENTS = ("recipe", "objective", "task")
"""Arguments that may be a mapping of fields, as ``--set`` on the command line."""


def train_chain(network: str, **options: Any) -> "pd.DataFrame":
    """Train one chain for each seed, or take it from the population: ``--space chain`` as a call.

    Example::

        from ban_ray.search.api import train_chain

        generations = train_chain("densenet-bc-16-8", generations=2, seeds=[0, 1])
        generations.groupby("generation")["test_error"].mean()

    Args:
        network: a paper's name, ``timm:NAME``, ``torchvision:NAME``, or ``module:function`` that every worker can
            import.
        options: the command's options, with underscores for dashes, as `SearchOptions` declares them: ``epochs=5``,
            ``task="cifar10"``, ``network_args={"width": 2}``; None means the default. ``recipe`` and ``objective`` are
            a name or a mapping of their fields, ``recipe={"learning_rate": 1e-3, "weight_decay": 0}``, ``task`` a name
            or ``{"name": "folder", "normalise": [means, deviations]}``, and ``search`` a mapping of what is sampled:
            ``search={"recipe.weight_decay": "1e-4..1e-1:log", "recipe.precision": ["fp32", "bf16"]}``. Then every
            configuration that was sampled has a chain for each seed.

    Returns:
        A row for each generation of each seed: ``seed``, ``generation`` (0 is the baseline), ``network``,
        ``objective``, ``parameters``, ``held_out_error`` and ``test_error`` (percent), ``test_gain`` (points: the
        test error minus the baseline's, so that below 0 is better, as in every table; NaN without a baseline),
        ``seconds`` of training, ``key``; the first columns are the fields that were searched. For
        text the metric is ``perplexity`` (for characters ``bits_per_character``) instead of ``error``, and the gain is
        in log percent or bits. A chain that failed has rows for the generations that were published, and a sentence in
        ``attrs["failed"]``.

    Raises:
        UserError: an argument is unknown or cannot be used; the message says which and what is allowed.
        RuntimeError: every chain failed before its first generation was published; the message has the first reason.
    """
    for name in NOT_KEYWORDS & options.keys():
        raise UserError(f"train_chain takes no {name}")
    fixed = {"space": "chain", "network": network, "command": f"ban_ray.search.api.train_chain({network!r}, ...)"}
    set_fields = {name: fields for name in MAPPING_ARGUMENTS if isinstance(fields := options.get(name), Mapping)}
    if options.get("recipe") is None or "recipe" in set_fields:
        options.pop("recipe", None)
    rest = {name: value for name, value in options.items() if name not in set_fields}
    if (task := set_fields.pop("task", None)) is not None:
        rest["task"] = task.get("name")
        if fields := {name: value for name, value in task.items() if name != "name"}:
            set_fields["task"] = fields
    result = search(validated(SearchOptions, {**rest, **fixed, "settings": set_fields}))
    assert result is not None
    return _frame(result)


_KEYWORDS = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.annotation)
    for name, field in SearchOptions.model_fields.items()
    if name not in NOT_KEYWORDS | {"network", "recipe"}
]
_RECIPE = inspect.Parameter(
    "recipe", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=str | Mapping[str, JsonValue]
)
_NETWORK = inspect.Parameter("network", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=str)
# For `help`, notebooks and editors: the options are declared once, in the model.
vars(train_chain)["__signature__"] = inspect.Signature(
    [_NETWORK, _RECIPE, *_KEYWORDS], return_annotation="pd.DataFrame"
)


def _frame(result: SearchResult) -> "pd.DataFrame":
    import pandas as pd

    rows = []
    for planned in result.spec.chains:
        metric = planned.metric
        members = [result.population.get(key) for key in planned.chain.keys]
        baseline = None if members[0] is None else metric.value_of(members[0])
        for number, member in enumerate(members):
            if member is None:
                continue
            error = metric.value_of(member)
            rows.append(
                {
                    **planned.configuration,
                    "seed": planned.seed,
                    "generation": number,
                    "network": member.generation.network,
                    "objective": str(member.generation.objective),
                    "parameters": member.parameters,
                    f"held_out_{metric.key}": metric.value_of(member, "held_out"),
                    f"test_{metric.key}": error,
                    "test_gain": math.nan if error is None or baseline is None else metric.difference(error, baseline),
                    "seconds": member.provenance.get("seconds"),
                    "key": member.key,
                }
            )
    if not rows:
        raise RuntimeError(
            "no generation was published" + "".join(f"; {p.title}: {why}" for p, why in result.failures[:1])
        )
    frame = pd.DataFrame(rows)
    frame.attrs["failed"] = {planned.title: sentence for planned, sentence in result.failures}
    return frame
