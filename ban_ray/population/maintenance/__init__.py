"""Verification, quarantine and garbage collection of a population."""
