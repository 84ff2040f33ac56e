"""A run on a deployment of one machine, from a checked configuration to a closed run folder."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.run_folder import DEPLOYMENT_LOGS, ENDED, read_status
from simulations.deploy.checks_network import refuse_taken_port
from simulations.deploy.keys import PUBLIC_SUFFIX, check_different, make_keys
from simulations.deploy.processes import HOST, LocalDeployment, local_deployment
from simulations.runner import flower
from simulations.runner.failure import reason
from simulations.runner.project import stage_app
from simulations.runner.resources import visible_cpus
from simulations.runner.simulate import OnEvent, RunOutcome, conducted, watch_run

_SERVER_APP = "flwr-serverapp"


def run_deployment(
    config: RunConfig,
    nodes: int,
    on_event: OnEvent,
    tls: bool = True,
    port: int = 0,
    node_configs: Sequence[str] = (),
) -> RunOutcome:
    """Start SuperLink and SuperNodes, run the app on them, and end them all.

    node_configs: of each node; by default each has a partition of the run's data set.

    Raises:
        ConfigError: the run folder cannot be used, nodes is below 1, or the port is in use.
    """
    if nodes < 1:
        raise ConfigError(f"nodes is {nodes}; allowed: 1 or more")
    if port:  # before an earlier run's folder is cleared
        refuse_taken_port(HOST, port)
    configs = node_configs or [f"partition-id={i} num-partitions={nodes}" for i in range(nodes)]

    def drive(folder: Path) -> str:
        logs = folder / DEPLOYMENT_LOGS
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir()
        with local_deployment(logs, tls, port) as deployment:
            start_nodes(deployment, configs, config.model.device)
            app = stage_app(deployment.link.folder)
            run_id = flower.submit(deployment.link, app, config)
            watch_run(deployment.link, run_id, folder, on_event, _SERVER_APP)
            if read_status(folder).get("status") in ENDED:
                return ""
            return reason(folder, flower.run_status(deployment.link, run_id))

    return conducted(config, nodes, on_event, drive)


def start_nodes(deployment: LocalDeployment, node_configs: Sequence[str], device: str) -> None:
    """Give each node a key (with TLS), make the keys known, start the nodes, wait for all.

    Each node has its share of the machine's cores.
    """
    names = [f"supernode-{i}" for i in range(len(node_configs))]
    keys: list[Path | None] = [None] * len(names)
    if deployment.authority is not None:
        made = make_keys(deployment.link.folder / "keys", names)
        check_different(made)
        for path in made:
            deployment.register(path.with_name(path.name + PUBLIC_SUFFIX))
        keys = [*made]
    # Threads of nodes that share the machine's cores would wait for one another.
    threads = str(max(1, visible_cpus() // len(names)))
    own = {"FEDMVP_DEVICE": device, "OMP_NUM_THREADS": threads}
    for name, node_config, key in zip(names, node_configs, keys, strict=True):
        deployment.add_node(name, node_config, key, **own)
    deployment.wait_for_nodes(len(names))
