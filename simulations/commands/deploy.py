"""`fedmvp deploy`: SuperLink and SuperNodes, on this machine or on many."""

from pathlib import Path
from typing import Annotated

import typer

from fedmvp_core.errors import ConfigError
from simulations.commands.options import Debug, Device, Overwrite, RunWords
from simulations.commands.typed import Commands
from simulations.console import Console

app = Commands(help="Deployments: SuperLink and SuperNodes.", no_args_is_help=True)

_ROLES = ("superlink", "supernode")
Folder = Annotated[Path, typer.Option("--folder", help="Where the files go.")]
TlsDir = Annotated[str, typer.Option("--tls-dir", help="Folder with ca.crt; empty: no TLS.")]


@app.command()
def local(
    words: RunWords = None,
    nodes: Annotated[int, typer.Option("--nodes", help="How many SuperNodes.")] = 3,
    tls: Annotated[
        bool, typer.Option("--tls/--insecure", help="TLS and a key for each node, or neither.")
    ] = True,
    port: Annotated[int, typer.Option("--port", help="Of the SuperLink; 0: any free.")] = 0,
    node_config: Annotated[
        list[str] | None,
        typer.Option("--node-config", help="Of one node; repeat it. Default: a partition each."),
    ] = None,
    overwrite: Overwrite = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html.")] = True,
    debug: Debug = False,
) -> None:
    """Run on a SuperLink and SuperNodes of this machine.

    Example: fedmvp deploy local --nodes 3 demo
    """
    from simulations.commands.replacing import with_consent
    from simulations.deploy.local import run_deployment
    from simulations.runner.planning import named_by, plan_run
    from simulations.runner.progress import shown_progress
    from simulations.runner.reporting import show_outcome

    if node_config and len(node_config) != nodes:
        raise ConfigError(f"nodes is {nodes}, but {len(node_config)} --node-config are given")
    plan = with_consent(plan_run(*named_by(words or []), nodes), overwrite)
    console = Console()
    with shown_progress(console, plan.config) as on_event:
        outcome = run_deployment(plan.config, nodes, on_event, tls, port, node_config or ())
    raise typer.Exit(show_outcome(outcome, plan.config, console, report, show=False))


@app.command()
def certificates(
    hosts: Annotated[
        list[str],
        typer.Option("--host", help="A name or address of the SuperLink; repeat it."),
    ],
    folder: Folder = Path("tls"),
    days: Annotated[int, typer.Option("--days", help="How long they are valid.")] = 365,
) -> None:
    """Make an authority and the SuperLink's certificate, or renew the latter.

    Example: fedmvp deploy certificates --host superlink.example --folder tls
    """
    from simulations.deploy.certificates import make_certificates

    for path in make_certificates(folder, hosts, days):
        Console().print(str(path), soft_wrap=True, highlight=False)


@app.command()
def keys(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="A name for each node.")],
    folder: Folder = Path("keys"),
) -> None:
    """Make a key for each SuperNode: NAME goes to the node, NAME.pub to the SuperLink.

    Example: fedmvp deploy keys hospital-1 hospital-2 --folder keys
    """
    from simulations.deploy.keys import PUBLIC_SUFFIX, make_keys

    console = Console()
    for path in make_keys(folder, names):
        console.print(f"{path}  {path}{PUBLIC_SUFFIX}", soft_wrap=True, highlight=False)


@app.command()
def doctor(
    role: Annotated[str, typer.Argument(help="superlink or supernode: what runs here.")],
    words: RunWords = None,
    host: Annotated[str, typer.Option("--host", help="superlink: listens on.")] = "0.0.0.0",
    port: Annotated[int, typer.Option("--port", help="superlink: listens on.")] = 8000,
    name: Annotated[str, typer.Option("--name", help="superlink: called so by nodes.")] = "",
    superlink: Annotated[str, typer.Option("--superlink", help="supernode: host:port.")] = "",
    tls_dir: TlsDir = "",
    key: Annotated[str, typer.Option("--key", help="supernode: its private key.")] = "",
    node_config: Annotated[str, typer.Option("--node-config", help="supernode: its shard.")] = "",
    runtime_port: Annotated[int, typer.Option("--runtime-port", help="supernode: own port.")] = 0,
    device: Device = "auto",
) -> None:
    """Look for what would keep a SuperLink or SuperNode from working.

    The exit code is 1 if anything does. Words as for `fedmvp run` name the run that is served.

    Example: fedmvp deploy doctor superlink --port 8000
    """
    from simulations.deploy.doctor import NodeQuestions, examine_node, examine_superlink
    from simulations.deploy.findings import failures, show_findings

    if role not in _ROLES:
        raise ConfigError(f"role is '{role}'; allowed: {', '.join(_ROLES)}")
    folder = Path(tls_dir) if tls_dir else None
    if role == "superlink":
        findings = examine_superlink(host, port, folder, name)
    else:
        asked = NodeQuestions(superlink, folder, key, node_config, runtime_port, device)
        findings = examine_node(asked, words)
    show_findings(Console(), findings)
    raise typer.Exit(1 if failures(findings) else 0)


Link = Annotated[str, typer.Option("--superlink", help="host:port of the SuperLink.")]


@app.command()
def register(
    public_keys: Annotated[
        list[Path], typer.Argument(metavar="KEY.pub...", help="Public keys of nodes.")
    ],
    superlink: Link,
    tls_dir: TlsDir = "",
) -> None:
    """Let a SuperLink know the keys of nodes; without that it refuses them.

    Example: fedmvp deploy register keys/hospital-1.pub --superlink host:8000 --tls-dir tls
    """
    from simulations.deploy.remote import connected
    from simulations.deploy.remote import register as register_keys

    with connected(superlink, Path(tls_dir) if tls_dir else None) as link:
        new = register_keys(link, public_keys)
    for path in public_keys:
        word = "registered" if path in new else "known already"
        Console().print(f"{path}: {word}", soft_wrap=True, highlight=False)


@app.command()
def submit(
    superlink: Link,
    words: RunWords = None,
    tls_dir: TlsDir = "",
    output_dir: Annotated[
        str, typer.Option("--output-dir", help="For runs, on the SuperLink's machine.")
    ] = "",
    overwrite: Overwrite = False,
) -> None:
    """Run on a SuperLink and its SuperNodes.

    Example: fedmvp deploy submit --superlink host:8000 demo
    """
    from simulations.deploy.remote import connected
    from simulations.deploy.remote import submit as submit_run
    from simulations.runner.named_runs import resolve_config
    from simulations.runner.planning import named_by

    run, overrides = named_by(words or [])
    if output_dir:
        overrides = {**overrides, "output-dir": output_dir}
    if overwrite:
        overrides = {**overrides, "overwrite": True}
    config = resolve_config(run, overrides)
    with connected(superlink, Path(tls_dir) if tls_dir else None) as link:
        status = submit_run(link, config, Console())
    Console().print(
        f"{status}; run folder, on the server: {config.run.output_dir}/{config.run.run_name}"
    )
    raise typer.Exit(0 if status == "finished:completed" else 1)


@app.command()
def health(
    address: Annotated[
        str, typer.Argument(metavar="HOST:PORT", help="Where it tells of its health.")
    ],
    tls_dir: TlsDir = "",
) -> None:
    """Ask a SuperLink or SuperNode whether it lives: exit code 1 if it does not answer.

    Example: fedmvp deploy health localhost:8000
    """
    from simulations.deploy.answers import ask_health
    from simulations.deploy.certificates import CA_CERTIFICATE

    authority = Path(tls_dir) / CA_CERTIFICATE if tls_dir else None
    raise typer.Exit(0 if ask_health(address, authority).status == 200 else 1)
