"""Data: where it comes from, how it is decoded once, split, and put on a device."""
