"""Tidy DataFrames of a population.

Units: errors in percent; log-likelihoods, losses and entropies in nats; confidences from 0 to 1; times in seconds.
What is not known is NaN, or None in columns of text.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.data.chain_groups import ChainGroup
from analysis.data.chains import generation_numbers
from ban_ray.errors import UserError
from ban_ray.evaluation.predictions import confidence, entropies, of_labels, predicted
from ban_ray.population import Member, Predictions
from ban_ray.population.imported import ImportedGeneration
from ban_ray.population.member import History

TASK_FIELDS = ("label_noise", "protocol", "split_seed")
RECIPE_FIELDS = ("epochs", "batch_size", "learning_rate", "precision", "workers")
NUMBERS = ("seconds", "device_seconds", "images_seen", "multiply_accumulates")
PARTS = ("test", "held_out")

MEMBER_COLUMNS = {
    "key": "SHA-256 of the generation's spec",
    "task": "name of the task",
    "network": "name of the architecture",
    "parameters": "trainable parameters",
    "objective": "objective with its options, e.g. ban+l or ban:temperature=4",
    "generation": "generations before it: 0 for a baseline",
    "seed": "of the generation",
    "chain_seed": "of its chain, where recorded",
    "imported": "whether its weights were trained elsewhere; recipe, objective and seed then say nothing",
    "teachers": "number of teachers",
    "teacher": "key of the first teacher",
    "label_noise": "share of the training labels replaced at random",
    "protocol": "search (held-out data kept out of training), paper, or unknown of an imported network",
    "split_seed": "of the held-out data",
    "epochs": "of training",
    "batch_size": "over all workers",
    "learning_rate": "at the start",
    "precision": "fp32, tf32 or bf16",
    "workers": "processes that share a batch",
    "held_out_error": "percent",
    "held_out_log_likelihood": "nats a sample",
    "test_error": "percent",
    "test_log_likelihood": "nats a sample",
    "seconds": "of training",
    "device_seconds": "seconds times devices",
    "images_seen": "training images (tokens of text), each epoch counted",
    "multiply_accumulates": "of one forward pass of one image (token)",
    "finished_at": "as recorded",
}
CHAIN_COLUMNS = {
    "group": "name of the chains that are alike apart from seeds",
    "label": "role in its search",
    "task": "name of the task",
    "label_noise": "share of the training labels replaced at random",
    "network": "of this generation",
    "objective": "of this generation",
    "chain_seed": "of the chain",
    "root": "cluster of chains that share an ancestor",
    "generation": "0 for the baseline",
    "key": "of the member",
    "present": "whether there is a member of this key",
    "parameters": "trainable parameters",
    "held_out_error": "percent",
    "test_error": "percent",
    "difference": "test error minus that of the chain's generation 0, points",
    "device_seconds": "of this generation; its seconds where only these are recorded",
    "cumulative_device_seconds": "of this and all earlier generations of the chain",
}
HISTORY_COLUMNS = {
    "key": "of the member",
    "epoch": "from 1",
    "learning_rate": "of the epoch",
    "loss": "what was minimised",
    "label_loss": "unweighted, nats",
    "teacher_loss": "unweighted, nats",
    "train_error": "percent, on training views",
    "teacher_error": "percent, on training views",
    "teacher_confidence": "mean largest probability, on training views",
    "teacher_entropy": "nats, on training views",
    "held_out_error": "percent",
    "held_out_log_likelihood": "nats a sample",
    "images_per_second": "of training; tokens of text",
    "seconds": "with evaluation",
}
PREDICTION_COLUMNS = {
    "key": "of the member",
    "sample": "index in the stored order",
    "label": "true class",
    "predicted": "most probable class, the first on ties",
    "correct": "whether they are equal",
    "log_probability": "of the true class, nats",
    "confidence": "largest probability",
    "entropy": "of the predicted distribution, nats; NaN of text, whose distributions are not kept whole",
}


def members(records: Mapping[str, Member]) -> pd.DataFrame:
    """One row a member, read from records alone; the columns are `MEMBER_COLUMNS`."""
    numbers = generation_numbers(records)
    rows = []
    for key, member in records.items():
        spec, provenance = member.generation, member.provenance
        finished = provenance.get("finished_at")
        rows.append(
            {
                "key": key,
                "task": spec.task.name,
                "network": spec.network,
                "parameters": member.parameters,
                "objective": str(spec.objective),
                "generation": numbers[key],
                "seed": spec.seed,
                "chain_seed": number(provenance.get("chain_seed")),
                "imported": isinstance(spec, ImportedGeneration),
                "teachers": len(spec.teachers),
                "teacher": spec.teachers[0] if spec.teachers else None,
                **{name: getattr(spec.task, name) for name in TASK_FIELDS},
                "protocol": member.protocol,
                **{name: getattr(spec.recipe, name) for name in RECIPE_FIELDS},
                **{name: _or_nan(value) for name, value in member.metrics},
                **{name: number(provenance.get(name)) for name in NUMBERS},
                "finished_at": finished if isinstance(finished, str) else None,
            }
        )
    return pd.DataFrame(rows, columns=list(MEMBER_COLUMNS))


def chains(groups: Iterable[ChainGroup]) -> pd.DataFrame:
    """One row a generation of a chain, missing ones included; the columns are `CHAIN_COLUMNS`."""
    rows = []
    for group, chain in [(of_chain, chain) for of_chain in groups for chain in of_chain.chains]:
        spent, baseline = 0.0, chain.members[0]
        for generation, (key, member) in enumerate(zip(chain.keys, chain.members, strict=True)):
            cost = device_seconds(member) if member else np.nan
            spent += cost
            error = member.metrics.test_error if member else np.nan
            rows.append(
                {
                    "group": group.name,
                    "label": chain.label,
                    "task": group.task.name,
                    "label_noise": group.task.label_noise,
                    "network": member.generation.network if member else None,
                    "objective": member.objective if member else None,
                    "chain_seed": number(chain.seed),
                    "root": chain.root,
                    "generation": generation,
                    "key": key,
                    "present": member is not None,
                    "parameters": member.parameters if member else np.nan,
                    "held_out_error": _or_nan(member.metrics.held_out_error if member else None),
                    "test_error": error,
                    "difference": error - baseline.metrics.test_error if baseline else np.nan,
                    "device_seconds": cost,
                    "cumulative_device_seconds": spent,
                }
            )
    return pd.DataFrame(rows, columns=list(CHAIN_COLUMNS))


def histories(read: Iterable[tuple[str, History]]) -> pd.DataFrame:
    """One row an epoch of the members' histories by key; the columns are `HISTORY_COLUMNS`."""
    rows = [{"key": key, **record} for key, history in read for record in history]
    frame = pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))
    return frame.astype({name: float for name in HISTORY_COLUMNS if name not in ("key", "epoch")})


def predictions(read: Iterable[tuple[str, Predictions]], part: str = "test") -> pd.DataFrame:
    """One row an image of the members' stored predictions by key; the columns are `PREDICTION_COLUMNS`.

    Raises:
        UserError: a part other than ``test`` and ``held_out``.
    """
    if part not in PARTS:
        raise UserError(f"part {part!r} is not one of {', '.join(PARTS)}")
    frames = []
    for key, stored in read:
        outputs, labels = getattr(stored, part), getattr(stored, f"{part}_labels")
        classes = predicted(outputs)
        frames.append(
            pd.DataFrame(
                {
                    "key": key,
                    "sample": np.arange(len(labels)),
                    "label": labels,
                    "predicted": classes,
                    "correct": classes == labels,
                    "log_probability": of_labels(outputs, labels),
                    "confidence": confidence(outputs),
                    "entropy": entropies(outputs),
                }
            )
        )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(PREDICTION_COLUMNS))


def device_seconds(member: Member) -> float:
    """Recorded device-seconds of a member's training, else its seconds, else NaN."""
    recorded = number(member.provenance.get("device_seconds"))
    return number(member.provenance.get("seconds")) if np.isnan(recorded) else recorded


def number(value: Any) -> float:
    """A number of provenance, which anyone may have written; NaN for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
