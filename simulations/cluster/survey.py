"""Asks each node of a Ray cluster what is installed there. A process of its own: Ray joins once.

    python -m simulations.cluster.survey auto|HOST:PORT

prints `joined`, then one line of JSON: the address of the cluster and its nodes.
"""

import json
import logging
import os
import sys
from typing import Any

import ray
from ray import cloudpickle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from simulations.cluster import installed

JOINED = "joined"
# A node that is there and cannot start a worker in this time cannot play clients either.
_ANSWER_SECONDS = 90.0


def ask(node: dict[str, Any]) -> dict[str, Any]:
    """A node of `ray.nodes()` with what is installed there, or why it did not say."""
    pinned = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    task = ray.remote(num_cpus=0, max_retries=0)(installed.installed)
    resources = node["Resources"]
    said: dict[str, Any] = {
        "name": node["NodeManagerHostname"],
        "address": node["NodeManagerAddress"],
        "id": node["NodeID"][:8],
        "cpus": int(resources.get("CPU", 0)),
        "gpus": int(resources.get("GPU", 0)),
    }
    return said | {"answer": task.options(scheduling_strategy=pinned).remote()}


def main() -> None:
    """Join, ask all nodes at once, print."""
    # The node may have another version of this package, or none.
    cloudpickle.register_pickle_by_value(installed)
    paths = os.pathsep.join(path for path in sys.path if path)
    ray.init(
        address=sys.argv[1],
        logging_level=logging.ERROR,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": paths}},  # as Flower gives it to its actors
    )
    print(JOINED, flush=True)
    nodes = [ask(node) for node in ray.nodes() if node["Alive"]]
    answers = [node["answer"] for node in nodes]
    ready, _ = ray.wait(answers, num_returns=len(answers), timeout=_ANSWER_SECONDS)
    for node in nodes:
        answer = node.pop("answer")
        try:
            if answer not in ready:
                raise TimeoutError(f"no answer in {_ANSWER_SECONDS:.0f} s")
            node["installed"] = ray.get(answer)
        except Exception as error:  # whatever a node dies of is told with its name
            node["error"] = str(error).strip().splitlines()[-1]
    print(json.dumps({"address": ray.get_runtime_context().gcs_address, "nodes": nodes}))


if __name__ == "__main__":
    main()
