"""Bytes under a path, in a folder or a bucket."""
