"""A cluster that a search starts for itself: other machines do not reach it, and it closes in order."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray

SCRIPT = """
import time
from pathlib import Path

import click

from ban_ray import cluster
from ban_ray.cli.entry import reports_errors, run

@reports_errors()
@click.command()
@click.argument("path")
def main(path):
    try:
        cluster.connect(None, namespace="test")
        import ray

        answer = ray.remote(num_cpus=0)(lambda: 1)
        ray.get(answer.remote())
        print("ready", flush=True)
        time.sleep(100)
    except KeyboardInterrupt:
        ray.get(answer.remote(), timeout=60)
        Path(path).write_text("answered")
        raise
    finally:
        cluster.disconnect()


run(main, "example")
"""
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "0" * 24 + "01000000"}
"""127.0.0.1, the same as an IPv6 address, and ::1."""


def descendants(process: int) -> list[int]:
    children = [
        int(child) for file in Path(f"/proc/{process}/task").glob("*/children") for child in file.read_text().split()
    ]
    return [process, *(pid for child in children for pid in descendants(child))]


def listening(process: int) -> set[str]:
    """Addresses, as Linux writes them, at which a process and those that it started listen."""
    sockets = {}
    for file in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process}/net/{file}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                sockets[f"socket:[{fields[9]}]"] = fields[1].partition(":")[0]
    opened = {
        str(file.readlink())
        for pid in descendants(process)
        for file in Path(f"/proc/{pid}/fd").glob("*")
        if os.path.lexists(file)
    }
    return {address for socket, address in sockets.items() if socket in opened}


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="only Linux lists sockets here")
def test_it_is_on_loopback_alone_and_outlives_the_terminal_until_the_tidy_end(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "file")],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
    )
    os.close(terminal)
    with os.fdopen(os.dup(controller), "rb") as lines:
        assert lines.readline() == b"ready\r\n"
    addresses = listening(process.pid)
    os.close(controller)
    # As a shell does that is told so.
    os.killpg(process.pid, signal.SIGHUP)
    assert process.wait(100) == 130
    assert (tmp_path / "file").read_text() == "answered", "Ray was still there"
    assert addresses
    assert addresses <= LOOPBACK


HELPERS = """
import os, urllib.error, urllib.request
from pathlib import Path
from ban_ray import cluster

connected = cluster.connect(None, namespace="test")
try:
    import ray

    assert ray.get(ray.remote(num_cpus=0)(lambda: 1).remote()) == 1
    address = connected.wait_for_dashboard()
    try:
        urllib.request.urlopen(address, timeout=60)
    except urllib.error.HTTPError as error:
        assert error.code in (401, 403), error
    for file in Path("/proc/self/task").glob("*/children"):
        for child in map(int, file.read_text().split()):
            command = Path(f"/proc/{child}/cmdline").read_text().replace(chr(0), " ")
            print(os.getpriority(os.PRIO_PROCESS, child), command)
finally:
    cluster.disconnect()
"""


def test_helpers_leave_the_processors_to_what_is_waited_for(tmp_path: Path, environment: dict[str, str]) -> None:
    """The dashboard comes later and answers; it and the monitors run at a lower priority than the rest of Ray."""
    done = subprocess.run(
        [sys.executable, "-c", HELPERS], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180
    )
    assert not done.returncode, done.stderr
    for name, lower in (
        ("dashboard.py", True),
        ("log_monitor.py", True),
        ("monitor.py", True),
        ("gcs_server", False),
        ("raylet", False),
    ):
        priorities = [line.split()[0] for line in done.stdout.splitlines() if f"/{name}" in line.split(" --")[0]]
        assert priorities, f"{name} in {done.stdout}"
        assert all((int(priority) > 0) == lower for priority in priorities), name
