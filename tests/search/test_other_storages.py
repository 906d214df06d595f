"""Searches in a bucket, and on a disk that fills on the way."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ban_ray.population import Population, open_storage
from ban_ray.population.maintenance.verify import verify
from tests.helpers.command import Command, contents, write_space
from tests.helpers.s3_server import make_bucket, serve
from tests.helpers.small_disk import fill, mounted

pytestmark = [pytest.mark.ray, pytest.mark.slow]

DISK_BYTES = 16 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", DISK_BYTES) as place:
        yield place


@pytest.mark.timeout(600)
def test_a_disk_that_fills_on_the_way(disk: Path, search: Command, tmp_path: Path, environment: dict[str, str]) -> None:
    space = write_space(tmp_path, epochs=40)
    arguments = ("--space", space, "--storage", str(disk / "runs"), "--seeds", "0")
    process = subprocess.Popen(
        [sys.executable, "-m", "ban_ray.search", *arguments],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not list((disk / "runs").glob("unfinished/*/*/epoch-*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    ballast = fill(disk)
    output, _ = process.communicate(timeout=300)
    assert process.returncode not in (0, 2), output
    assert "No space left on device" in output
    assert "Traceback" not in output, output
    for record in (disk / "runs").glob("population/*/member.json"):
        assert json.loads(record.read_text())["key"] == record.parent.name, "no record is cut off"

    ballast.unlink()
    repeated = search(*arguments)
    assert repeated.status == 0, repeated.err
    quiet = search("--space", space, "--storage", "quiet", "--seeds", "0")
    assert quiet.status == 0
    assert contents(disk / "runs") == contents(tmp_path / "quiet")
    assert verify(Population(open_storage(str(disk / "runs"))), grace_s=0).findings == ()


@pytest.mark.timeout(600)
def test_a_search_in_a_bucket(search: Command, tmp_path: Path, environment: dict[str, str]) -> None:
    space = write_space(tmp_path)
    with serve() as server:
        make_bucket(server, "bucket")
        environment_of_s3 = {
            "AWS_ENDPOINT_URL": server,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }
        before = dict(environment)
        environment.update(environment_of_s3)
        try:
            first = search("--space", space, "--storage", "s3://bucket/runs", "--seeds", "0", "--json")
            assert first.status == 0, first.err
            assert first.json["trained"] == 4
            repeated = search("--space", space, "--storage", "s3://bucket/runs", "--seeds", "0", "--json")
            assert repeated.json["trained"] == 0
            assert repeated.json["rows"] == first.json["rows"]
        finally:
            environment.clear()
            environment.update(before)
    local = search("--space", space, "--storage", "local", "--seeds", "0", "--json")
    assert local.json["rows"] == first.json["rows"]
