"""Commands of a search, for tests that run it on a cluster."""

from tests.helpers.command import environment, search

__all__ = ["environment", "search"]
