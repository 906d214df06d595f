"""Data: sources, decoding once a node, splits, and tensors on a device."""
