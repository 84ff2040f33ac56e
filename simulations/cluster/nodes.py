"""The nodes of a Ray cluster: what each has, and whether all have the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fedmvp_core.errors import ConfigError

# What bits, or the run at all, depend on, as the survey names it -> as a person reads it.
_COMPARED = {
    "python": "Python",
    "fedmvp": "fedmvp",
    "flwr": "flwr",
    "torch": "torch",
    "sources": "the code of fedmvp",
    "threads": "OMP_NUM_THREADS",
}


@dataclass(frozen=True)
class ClusterNode:
    """One node. installed: what its Python has, by name. error: why it did not say."""

    name: str
    address: str
    id: str
    cpus: int
    gpus: int
    installed: Mapping[str, str] = field(default_factory=dict)
    error: str = ""

    def places(self, gpus_per_client: float) -> int:
        """How many clients Flower puts on it: each takes a CPU, and its share of a GPU if any."""
        if not gpus_per_client:
            return self.cpus
        return min(self.cpus, int(self.gpus / gpus_per_client))

    def __str__(self) -> str:
        return f"node {self.name} ({self.address}, {self.id})"


@dataclass(frozen=True)
class Cluster:
    """A standing Ray cluster, its address as HOST:PORT."""

    address: str
    nodes: Sequence[ClusterNode]

    @property
    def gpus(self) -> int:
        """GPUs of all nodes."""
        return sum(node.gpus for node in self.nodes)

    def places(self, gpus_per_client: float) -> int:
        """How many clients fit at once."""
        return sum(node.places(gpus_per_client) for node in self.nodes)


def check_nodes(nodes: Sequence[ClusterNode], own: Mapping[str, str]) -> None:
    """Compare the nodes that will play clients with this machine, where the server runs.

    own: what this machine's Python has; its "threads" are those of a client, "1".

    Raises:
        ConfigError: a node did not answer, or has something else; every such node is named.
    """
    faults = [fault for node in nodes if (fault := _fault(node, own))]
    if faults:
        raise ConfigError(
            f"{'; '.join(faults)}; install the same wheel in the Python of every node's Ray"
        )


def _fault(node: ClusterNode, own: Mapping[str, str]) -> str:
    if node.error:
        return f"{node} could not be asked for its versions: {node.error}"
    found, differing = node.installed, []
    for name, words in _COMPARED.items():
        there, here = found.get(name), own.get(name)
        if there == here or (name == "sources" and "fedmvp" not in found):
            continue  # without the package there is nothing to compare
        differing.append(f"{words} is {there or 'missing'} (here {here or 'missing'})")
    return f"{node}: {', '.join(differing)}" if differing else ""
