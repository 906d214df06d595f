"""Storages: bytes under a path, in a folder or a bucket."""
