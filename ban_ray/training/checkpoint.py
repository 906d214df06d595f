"""The state of a training as bytes; reading them runs no code."""

import io
from typing import Any

import torch


def to_bytes(state: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def from_bytes(data: bytes) -> dict[str, Any]:
    """The state that `to_bytes` was given, with its tensors on the CPU."""
    return dict(torch.load(io.BytesIO(data), map_location="cpu", weights_only=True))
