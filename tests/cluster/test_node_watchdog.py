"""A search whose own Ray node dies ends with a sentence; other interruptions stay what they are."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from ban_ray import cluster
from ban_ray.cluster.node_watchdog import raise_if_node_dies
from ban_ray.errors import ClusterLost
from tests.helpers.processes import descendants

pytestmark = pytest.mark.ray


@pytest.fixture(autouse=True)
def connected() -> Iterator[cluster.Cluster]:
    yield cluster.connect(None, namespace="ban_ray")
    cluster.disconnect()


def test_it_ends_the_block() -> None:
    with raise_if_node_dies(interval_s=0.2):
        time.sleep(1)
    with pytest.raises(KeyboardInterrupt), raise_if_node_dies(interval_s=0.2):
        raise KeyboardInterrupt
    (raylet,) = [pid for pid, line in descendants(os.getpid()) if "raylet/raylet" in line]
    with pytest.raises(ClusterLost, match="its raylet ended"), raise_if_node_dies(interval_s=0.2):
        os.kill(raylet, signal.SIGKILL)
        time.sleep(90)
    assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
