"""Weights that generations start from: chosen by the user, copied into the storage, found there by their digest."""
