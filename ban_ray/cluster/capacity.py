"""The nodes that worker groups can be placed on: those that are alive, and those that an autoscaler may add."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ban_ray.cluster.ray_internals import autoscaler_config

UNIT = 10_000
"""Ray counts resources in parts of this size."""
UNLIMITED = 1_000
"""The number of nodes that an autoscaler without a limit is taken to add."""


@dataclass(frozen=True)
class NodeShape:
    """`count` nodes of one shape."""

    cpus: float
    gpus: float = 0
    count: int = 1

    def workers_that_fit(self, cpus: float, gpus: float) -> int:
        """Number of workers of so many CPUs and GPUs that fit, each within one node."""
        asked = ((self.cpus, cpus), (self.gpus, gpus))
        return self.count * min(units(has) // units(each) for has, each in asked if each)

    def __str__(self) -> str:
        gpus = f" and {self.gpus:g} GPUs" if self.gpus else ""
        return f"{self.count} {'node' if self.count == 1 else 'nodes'} of {self.cpus:g} CPUs{gpus}"


def units(amount: float) -> int:
    """An amount in Ray's own unit, where five times 0.2 is 1."""
    return round(amount * UNIT)


def capacity() -> tuple[NodeShape, ...]:
    """The nodes of the connected cluster by shape: those alive, or as many as its autoscaler may add."""
    import ray

    alive = Counter(_shape(node["Resources"]) for node in ray.nodes() if node["Alive"])
    # A node alive may be one of those that the autoscaler has added.
    most = alive | _addable(autoscaler_config())
    return tuple(NodeShape(cpus, gpus, count) for (cpus, gpus), count in sorted(most.items()))


def _addable(config: Any) -> Counter[tuple[float, float]]:
    """Nodes by shape in a `ray.core.generated.autoscaler_pb2.ClusterConfig`, None where no autoscaler reports one."""
    most: Counter[tuple[float, float]] = Counter()
    for group in config.node_group_configs if config is not None else ():
        limits = [
            limit // group.resources[name] for name, limit in config.max_resources.items() if group.resources.get(name)
        ]
        most[_shape(group.resources)] += min([group.max_count if group.max_count >= 0 else UNLIMITED, *limits])
    return most


def _shape(resources: Any) -> tuple[float, float]:
    return float(resources.get("CPU", 0)), float(resources.get("GPU", 0))
