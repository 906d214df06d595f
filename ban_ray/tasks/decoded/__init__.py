"""Decoded images on disk: files of rows, their writing in canonical order, and reading ahead of a device."""
