"""A bucket on a server."""

from tests.helpers.s3_server import s3, s3_server

__all__ = ["s3", "s3_server"]
