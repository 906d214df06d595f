"""Seeds as a function of what random numbers are for, never of what was drawn before."""

import hashlib


def derive_seed(seed: int, purpose: str, *position: int) -> int:
    """A 63-bit seed for one purpose at one position.

    Args:
        seed: the user's or the chain's.
        purpose: of the random numbers, e.g. ``"initialisation"``, ``"order"``, ``"augmentation"``.
        position: in the training, e.g. epoch and step.

    Returns:
        The first 63 bits of a SHA-256, equal on every machine and version.
    """
    text = "/".join([str(seed), purpose, *map(str, position)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
