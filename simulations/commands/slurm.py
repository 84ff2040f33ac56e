"""`fedmvp slurm`: job scripts that run suites and runs on a Slurm cluster."""

from pathlib import Path
from typing import Annotated

import typer

from fedmvp_core.errors import ConfigError
from simulations.commands.options import OUTPUT_DIR, ClientsPerGpu, OutputDir, Seeds, chosen_seeds


def slurm(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="SUITE|RUN... [KEY=VALUE]...", help="Suites and runs; keys are the runs'."
        ),
    ],
    seeds: Seeds = None,
    nodes: Annotated[int, typer.Option("--nodes", help="Nodes of each job.")] = 1,
    cpus: Annotated[int, typer.Option("--cpus", help="CPUs of each node.")] = 1,
    gpus: Annotated[int, typer.Option("--gpus", help="GPUs of each node.")] = 0,
    clients_per_gpu: ClientsPerGpu = None,
    time: Annotated[str, typer.Option("--time", help="As Slurm has it.")] = "24:00:00",
    partition: Annotated[str, typer.Option("--partition", help="Of the cluster.")] = "",
    account: Annotated[str, typer.Option("--account", help="That pays.")] = "",
    output_dir: OutputDir = OUTPUT_DIR,
    folder: Annotated[
        Path, typer.Option("--folder", help="Where the scripts are written.")
    ] = Path(),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace scripts.")] = False,
    show: Annotated[bool, typer.Option("--print", help="Print them and write none.")] = False,
) -> None:
    """Write job scripts that run suites and runs on a Slurm cluster.

    Example: fedmvp slurm emoji-zsl --nodes 2 --gpus 4
    """
    from simulations.cluster.slurm import Job, script, work_of

    # An option takes one word, so of `--seeds 1 2 3` the rest arrives here.
    more_seeds = [word for word in words if word.isdigit()]
    names = [word for word in words if "=" not in word and not word.isdigit()]
    keys = [word for word in words if "=" in word]
    if not names:
        raise ConfigError("no suite or run is named; fedmvp list shows both")
    chosen = chosen_seeds(seeds, more_seeds)
    job = Job(nodes, cpus, gpus, clients_per_gpu, time, partition, account)
    scripts: dict[Path, str] = {}
    for name in names:
        work = work_of(name, keys, chosen, output_dir)
        file = folder / f"fedmvp-{work.name}.sbatch"
        if file in scripts:
            raise ConfigError(f"'{name}' is named twice")
        if file.exists() and not (overwrite or show):
            raise ConfigError(f"'{file}' is there already; replace it with --overwrite")
        scripts[file] = script(work, job, str(file))
    for file, text in scripts.items():
        if show:
            typer.echo(text, nl=False)
            continue
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        typer.echo(f"sbatch {file}")
