"""``ray job submit`` of a search to a cluster that asks for a token."""

import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.command import Command, contents, write_space
from tests.helpers.ports import free_port

pytestmark = [pytest.mark.ray, pytest.mark.slow]

RAY = str(Path(sys.executable).with_name("ray"))


@dataclass(frozen=True)
class Head:
    """A cluster of one node, started as an administrator would; `port` is the dashboard's."""

    port: int
    environment: dict[str, str]

    def job(
        self, *arguments: str, token: str | None = None, timeout_s: float = 400
    ) -> "subprocess.CompletedProcess[str]":
        env = self.environment if token is None else {**self.environment, "RAY_AUTH_TOKEN": token}
        return subprocess.run(
            [RAY, "job", arguments[0], "--address", f"http://127.0.0.1:{self.port}", *arguments[1:]],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )


@pytest.fixture
def head(environment: dict[str, str]) -> Iterator[Head]:
    port, dashboard = free_port(), free_port()
    env = {**environment, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with subprocess.Popen(
        [
            *(RAY, "start", "--head", "--block", f"--port={port}", f"--dashboard-port={dashboard}", "--num-cpus=2"),
            # Another Ray of this machine may have the usual one, and jobs go through it.
            f"--dashboard-agent-listen-port={free_port()}",
        ],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield Head(dashboard, env)
        finally:
            process.terminate()
            process.wait(60)


@pytest.mark.timeout(900)
def test_submitted_followed_stopped_and_submitted_again(
    head: Head,
    search: Command,
    tmp_path: Path,
) -> None:
    space = write_space(tmp_path, epochs=60)
    storage = tmp_path / "runs"
    command = (sys.executable, "-m", "ban_ray.search", "--space", space, "--seeds", "0", "--storage", str(storage))
    deadline = time.monotonic() + 120
    while (submitted := head.job("submit", "--no-wait", "--submission-id", "first", "--", *command)).returncode:
        assert time.monotonic() < deadline, submitted.stdout
        time.sleep(1)
    refused = head.job("status", "first", token=secrets.token_hex(32))
    assert refused.returncode
    assert re.search("token|auth", refused.stdout, re.IGNORECASE)

    deadline = time.monotonic() + 200
    while len(list(storage.glob("unfinished/*/*/epoch-*"))) < 1:
        assert time.monotonic() < deadline, head.job("logs", "first").stdout
        time.sleep(0.1)
    logs = head.job("logs", "first").stdout
    assert "chain" in logs
    assert "Traceback" not in logs
    stopped = head.job("stop", "first")
    assert not stopped.returncode
    assert "stopped" in stopped.stdout.lower()
    assert "Traceback" not in head.job("logs", "first").stdout

    # Without --no-wait the log is followed until the end, and the command's exit status is the job's.
    again = head.job("submit", "--submission-id", "second", "--", *command)
    assert again.returncode == 0, again.stdout
    assert "BAN-1" in again.stdout
    assert "succeeded" in again.stdout.lower()

    quiet = search("--space", space, "--seeds", "0", "--storage", "quiet")
    assert quiet.status == 0, quiet.err
    assert contents(storage) == contents(tmp_path / "quiet")
    for name in ("claims", "unfinished"):
        assert not list((storage / name).iterdir())
