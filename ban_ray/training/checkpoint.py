"""A training's state as bytes; reading runs no code from the file."""

import io
from typing import Any

import torch


def to_bytes(state: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def from_bytes(data: bytes) -> dict[str, Any]:
    """Tensors come to the CPU; the optimiser moves its own to the parameters' device."""
    return dict(torch.load(io.BytesIO(data), map_location="cpu", weights_only=True))
