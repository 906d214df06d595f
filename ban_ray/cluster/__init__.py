"""The Ray cluster: its connection, its capacity, its nodes, and the resources of worker groups."""

from ban_ray.cluster.connection import WORKER_ENVIRONMENT, Cluster, connect, disconnect
from ban_ray.cluster.worker_resources import WorkerResources

__all__ = ["WORKER_ENVIRONMENT", "Cluster", "WorkerResources", "connect", "disconnect"]
