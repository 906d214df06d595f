"""Publication: the files first, the record last and exclusively."""

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from ban_ray.errors import DamagedMember
from ban_ray.evaluation.metrics import error_percent, mean_log_likelihood
from ban_ray.population.checksummed_json import FORMAT_VERSION
from ban_ray.population.decoding import Predictions
from ban_ray.population.layout import member_folder, record_file
from ban_ray.population.member import File, History, Member, MemberMetrics
from ban_ray.population.population import Population
from ban_ray.specs import SEMANTICS_VERSION, Generation


def publish(
    population: Population,
    generation: Generation,
    *,
    weights: Mapping[str, NDArray[np.generic]],
    predictions: Predictions,
    history: History,
    teachers: Mapping[str, str],
    parameters: int,
    provenance: Mapping[str, JsonValue],
) -> Member:
    """Publish a trained generation unless its key is taken.

    Args:
        weights: contiguous arrays, none of them sharing memory.
        teachers: digests of the weights that taught it, by key.

    Returns:
        The published member: this one, or the one of another run that was first.

    Raises:
        ValueError: the record could not be read back; nothing is written.
        OSError: the storage cannot be written; nothing is published.
    """
    blobs = {
        "weights": _safetensors(weights),
        "predictions": _safetensors(predictions.arrays()),
        "history": _parquet(history),
    }
    files = {kind: File.of(kind, data) for kind, data in blobs.items()}
    member = Member(
        format_version=FORMAT_VERSION,
        semantics_version=SEMANTICS_VERSION,
        key=generation.key,
        generation=generation,
        teachers=dict(teachers),
        parameters=parameters,
        metrics=measure(predictions),
        provenance=dict(provenance),
        **files,
    )
    record = member.to_bytes()
    try:
        Member.from_bytes(record, member.key)
    except DamagedMember as error:
        # An unreadable record would block its key for good.
        raise ValueError(f"the record cannot be published: {error}") from error
    folder = member_folder(generation.key)
    for kind, data in blobs.items():
        population.storage.write(f"{folder}/{files[kind].name}", data)
    if population.storage.create(record_file(generation.key), record):
        return member
    first = population[generation.key]
    for file in files.values():
        if file not in first.files:
            population.storage.delete(f"{folder}/{file.name}")
    return first


def weights_file(weights: Mapping[str, NDArray[np.generic]]) -> File:
    """The file that `publish` would make of these weights."""
    return File.of("weights", _safetensors(weights))


def measure(predictions: Predictions) -> MemberMetrics:
    """The metrics of stored predictions."""
    held_out = len(predictions.held_out_labels) > 0
    return MemberMetrics(
        held_out_error=error_percent(predictions.held_out, predictions.held_out_labels) if held_out else None,
        held_out_log_likelihood=(
            mean_log_likelihood(predictions.held_out, predictions.held_out_labels) if held_out else None
        ),
        test_error=error_percent(predictions.test, predictions.test_labels),
        test_log_likelihood=mean_log_likelihood(predictions.test, predictions.test_labels),
    )


def _safetensors(tensors: Mapping[str, NDArray[np.generic]]) -> bytes:
    from safetensors.numpy import save

    return bytes(save({name: np.asarray(array, order="C") for name, array in tensors.items()}))


def _parquet(history: History) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(history), buffer)
    return buffer.getvalue()
