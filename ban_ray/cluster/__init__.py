"""Ray as a cluster: the connection, what a worker group takes, what every node can reach, what is to be seen."""

from ban_ray.cluster.connection import WORKER_ENVIRONMENT, Cluster, connect, disconnect
from ban_ray.cluster.worker_group import WorkerGroup

__all__ = ["WORKER_ENVIRONMENT", "Cluster", "WorkerGroup", "connect", "disconnect"]
