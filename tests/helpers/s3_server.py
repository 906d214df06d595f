"""A real S3 server over HTTP on this machine alone: moto's."""

import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class OneAtATime:
    """S3 looks whether an object exists and writes it in one step; moto does so in two."""

    def __init__(self, inner: Wsgi) -> None:
        self._inner = inner
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        with self._lock:
            return list(self._inner(environ, start))


class ForgetsConditions(OneAtATime):
    """A server from before conditional writes."""

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        environ.pop("HTTP_IF_NONE_MATCH", None)
        return super().__call__(environ, start)


@contextmanager
def serve(kind: type[OneAtATime] = OneAtATime) -> Iterator[str]:
    """The server's URL, while it runs."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, kind(DomainDispatcherApplication(create_backend_app)), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_bucket(server: str, name: str) -> None:
    with urlopen(Request(f"{server}/{name}", method="PUT")):
        pass


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    with serve() as url:
        yield url


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a folder in a new bucket, with the environment that leads to it."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{secrets.token_hex(4)}"
    make_bucket(s3_server, bucket)
    return f"s3://{bucket}/some/folder"
