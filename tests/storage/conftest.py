"""A bucket on a server."""

from tests.helpers.s3_server import s3, s3_server  # noqa: F401
