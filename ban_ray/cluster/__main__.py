"""``python -m ban_ray.cluster doctor``: check that a cluster is ready for a search."""

import json
import sys
from dataclasses import asdict

import click

from ban_ray.cli.console import Console
from ban_ray.cli.entry import reports_errors, run
from ban_ray.cluster.connection import Cluster
from ban_ray.cluster.nodes import NodeStatus
from ban_ray.cluster.worker_resources import WorkerResources
from ban_ray.errors import ClusterLost, UserError
from ban_ray.specs import Recipe


@reports_errors()
@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Look after the cluster that searches run on."""


@main.command()
@click.option(
    "--address", metavar="auto|HOST:PORT", help="A running Ray cluster; by default RAY_ADDRESS, else one of its own."
)
@click.option("--storage", default="./ban_runs", show_default=True, metavar="DIR", help="Where a search would store.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def doctor(address: str | None, storage: str, as_json: bool) -> None:
    """Nodes, GPUs, versions that differ, storage from every node, dashboard and metrics.

    The exit status is 1 where something would keep a search from running, or from freeing what it took.
    """
    from ban_ray import cluster
    from ban_ray.cluster import nodes
    from ban_ray.storage.opening import absolute

    console = Console(stderr=as_json)
    url = absolute(storage)
    try:
        connected = cluster.connect(address, namespace="ban_ray")
    except ClusterLost as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    try:
        statuses = nodes.probe_nodes(url)
        ports, dashboard = _metrics_ports(), connected.wait_for_dashboard()
    finally:
        cluster.disconnect()
    findings = _of_nodes(statuses) + _of_cluster(connected, dashboard)
    console.table(
        ("node", "CPUs", "GPUs", "metrics", "versions", "storage"),
        [
            (
                node.address,
                f"{node.cpus:g}",
                f"{node.gpus:g}",
                ports.get(node.id, ""),
                ", ".join(f"{name} {version}" for name, version in node.versions.items()),
                node.storage or "seen",
            )
            for node in statuses
        ],
        text=("node", "metrics", "versions", "storage"),
    )
    console.say(f"dashboard {dashboard or 'off'} (token: ray get-auth-token)")
    for finding in findings or ["nothing stands in a search's way"]:
        console.say(finding)
    if as_json:
        result = {"nodes": [asdict(node) for node in statuses], "findings": findings}
        click.echo(json.dumps({**result, "dashboard": dashboard, "metrics": ports}))
    sys.exit(1 if findings else 0)


def _of_nodes(nodes: list[NodeStatus]) -> list[str]:
    findings = [f"{node.address} does not see the storage: {node.storage}" for node in nodes if node.storage]
    for name in sorted({name for node in nodes for name in node.versions}):
        versions = {node.versions.get(name, "unknown") for node in nodes}
        if len(versions) > 1 or "missing" in versions:
            findings.append(f"{name} differs between nodes: {', '.join(sorted(versions))}")
    return findings


def _of_cluster(connected: Cluster, dashboard: str) -> list[str]:
    findings = []
    try:
        WorkerResources.for_cluster(connected, Recipe(), 1, None).max_concurrent(connected)
    except UserError as error:
        findings.append(str(error))
    if not dashboard:
        findings.append(
            "the dashboard is off: CPUs and GPUs of workers whose search was killed stay taken "
            "(start the head with --include-dashboard=true)"
        )
    return findings


def _metrics_ports() -> dict[str, str]:
    """Prometheus address by a node's id: several nodes may share an IP address."""
    import ray

    alive = [node for node in ray.nodes() if node["Alive"]]
    return {node["NodeID"]: f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}" for node in alive}


if __name__ == "__main__":
    run(main, "ban_ray.cluster")
