"""Readers of data files, one file for each format."""
