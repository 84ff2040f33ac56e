"""`fedmvp info`: versions, devices, caches and the embedded data, for a report of a problem."""

import hashlib
import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from fedmvp_core.errors import ConfigError, FedMVPError
from simulations.console import Console
from simulations.runner.project import package_folder, project_file
from simulations.runner.resources import visible_cpus, visible_gpus

_PACKAGES = ("fedmvp", "flwr", "ray", "torch", "torchvision", "open_clip_torch", "numpy")


Name = Annotated[
    str, typer.Option("--backbone", help="Say instead what this backbone is, as a run names it.")
]
Pretrained = Annotated[str, typer.Option("--pretrained", help="Its weights: a tag or a path.")]


def info(backbone: Name = "", pretrained: Pretrained = "") -> None:
    """Show versions, devices, caches and embedded data; or a backbone and its weights.

    Example: fedmvp info --backbone tiny --pretrained embedded
    """
    if pretrained and not backbone:
        raise ConfigError(f"pretrained is '{pretrained}'; say --backbone NAME too")
    if backbone:
        Console().print(backbone_table(backbone, pretrained))
    else:
        info_command(Console())


def backbone_table(name: str, pretrained: str) -> Table:
    """What a backbone is and how its weights were read, one fact a row.

    Raises:
        ConfigError: the name or the weights are unknown.
        CheckpointError: the weights cannot be read.
    """
    from fedmvp_core.backbone import load_backbone
    from simulations.runner.backbone_facts import backbone_facts

    table = Table("what", "value", show_header=False)
    for row in backbone_facts(load_backbone(name, pretrained), name, pretrained):
        table.add_row(*row)
    return table


def info_command(console: Console) -> None:
    """Print one table of everything."""
    table = Table("what", "value", show_header=False)
    table.add_row("python", f"{platform.python_version()} at {sys.executable}")
    table.add_row("platform", platform.platform())
    for package in _PACKAGES:
        table.add_row(package, _version(package))
    table.add_row("project file", str(project_file()))
    table.add_row("CPUs", str(visible_cpus()))
    table.add_row("GPUs", _gpus())
    cache = Path.home() / ".cache" / "fedmvp"
    table.add_row("cache", f"{cache}: {_size(cache)}")
    table.add_row("embedded data", _assets())
    console.print(table)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _gpus() -> str:
    if not visible_gpus():
        return "none"
    import torch

    if not torch.cuda.is_available():
        return f"{visible_gpus()} found, but this torch cannot use them ({torch.__version__})"
    count = torch.cuda.device_count()
    return ", ".join(torch.cuda.get_device_name(index) for index in range(count))


def _size(folder: Path) -> str:
    if not folder.is_dir():
        return "empty"
    files = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{len(files)} files, {sum(files) / 1e6:.1f} MB"


def _assets() -> str:
    """Whether the embedded pictures and weights are what they were when they were packed."""
    try:
        root = package_folder("fedmvp_assets")
        manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
        damaged = [name for name, entry in manifest.items() if not _intact(root / name, entry)]
    except (OSError, ValueError, FedMVPError) as error:
        return f"cannot be checked: {error}"
    if damaged:
        return f"damaged or missing: {', '.join(damaged)}; reinstall fedmvp"
    return f"{len(manifest)} files, all as packed"


def _intact(path: Path, entry: dict[str, Any]) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
