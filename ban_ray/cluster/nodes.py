"""The status of every node of a cluster: its versions, and its view of the storage."""

import importlib.metadata
import platform
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ban_ray.errors import UserError
from ban_ray.storage.opening import find_storage, is_url, open_storage

ANSWER_TIMEOUT_S = 120
PACKAGES = ("ray", "torch", "ban-ray")


@dataclass(frozen=True)
class NodeStatus:
    """The status of a node.

    Attributes:
        id: that of Ray.
        address: its IP address, which nodes may share.
        versions: of Python and of packages, "missing" where one is not installed.
        storage: empty where the node sees the storage, else what is wrong.
    """

    id: str
    address: str
    cpus: float
    gpus: float
    versions: dict[str, str]
    storage: str


def probe_nodes(url: str) -> list[NodeStatus]:
    """Ask each node that is alive for its versions, and whether it sees a file that is written here."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    storage = open_storage(url)
    name, token = f".probe-{secrets.token_hex(6)}", secrets.token_bytes(16)
    storage.write(name, token)
    probe = ray.remote(num_cpus=0, max_retries=0)(_probe)
    alive = [node for node in ray.nodes() if node["Alive"]]
    try:
        answers = [
            probe.options(
                name=f"look at the storage from {node['NodeManagerAddress']}",
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
            ).remote(url, name, token)
            for node in alive
        ]
        return [_status(node, answer) for node, answer in zip(alive, answers, strict=True)]
    finally:
        storage.delete(name)


def _status(node: dict[str, Any], answer: Any) -> NodeStatus:
    import ray

    try:
        versions, problem = ray.get(answer, timeout=ANSWER_TIMEOUT_S)
    except ray.exceptions.RayError as error:
        versions, problem = {}, f"no answer: {' '.join(str(error).split())[:200]}"
    resources = node["Resources"]
    return NodeStatus(
        id=node["NodeID"],
        address=node["NodeManagerAddress"],
        cpus=float(resources.get("CPU", 0)),
        gpus=float(resources.get("GPU", 0)),
        versions=versions,
        storage=problem,
    )


def _probe(url: str, name: str, token: bytes) -> tuple[dict[str, str], str]:
    """Versions, and what is wrong with the storage as this node sees it, empty where nothing is."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "missing"
    try:
        if not is_url(url) and not Path(url).is_dir():
            return versions, "no such folder"
        return versions, "" if find_storage(url).read(name) == token else "another folder of the same name"
    except FileNotFoundError:
        return versions, "another folder of the same name"
    except (OSError, UserError) as error:
        return versions, str(error)


def require_shared(url: str) -> None:
    """Refuse a storage that some node of a cluster of several does not see.

    Raises:
        UserError: names the first such node.
    """
    import ray

    if sum(bool(node["Alive"]) for node in ray.nodes()) < 2:
        return
    for node in probe_nodes(url):
        if node.storage:
            raise UserError(
                f"--storage {url} is not the same folder on every node: {node.address} finds {node.storage}; a path "
                "that all nodes mount, or a bucket such as s3://bucket/folder, is needed"
            )
