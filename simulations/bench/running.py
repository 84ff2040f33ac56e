"""Measures parts one after the other and says where that was."""

import sys
from collections.abc import Sequence
from importlib import import_module

import torch

from simulations.bench.inputs import Inputs
from simulations.bench.parts import module_of
from simulations.bench.record import Measured, Record, machine
from simulations.bench.tables import rich_table
from simulations.console import Console
from simulations.runner.client_cost import device_words
from simulations.runner.project import package_folder


def run_parts(parts: Sequence[str], inputs: Inputs, console: Console) -> Record:
    """Measure them; each part's tables are shown as soon as they are there.

    Raises:
        FedMVPError: a part cannot be measured here.
    """
    found: list[Measured] = []
    for name in parts:
        with console.status(f"measuring {name}"):
            measured: list[Measured] = import_module(module_of(name)).measure(inputs)
        for part in measured:
            console.print(rich_table(part))
        found += measured
    return Record(where(inputs.sizes.device), found)


def where(device: str) -> dict[str, object]:
    """The machine, the versions and the command."""
    words = device_words(torch.device(device))
    command = ["fedmvp", *sys.argv[1:]]
    source = package_folder("simulations").parent
    return machine(words, torch.get_num_threads(), command, source)
