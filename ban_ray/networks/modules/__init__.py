"""Torch layers that the network families are built of."""
