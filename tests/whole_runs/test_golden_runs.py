"""Golden runs: federations whose final prompt tensors are known, bit for bit (CPU, float32).

A change of golden_runs.json is a change of what is computed: its commit says why. To write it
anew: `GOLDEN=write pytest tests/whole_runs/test_golden_runs.py`. A change of norms lets go of the
bits of other machines; a machine that has none yet adds its own.

Another processor or another PyTorch may add up in another order. The tensors' norms are compared
everywhere, to a part in a thousand.
"""

import hashlib
import json
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from federation_harness import final_tensors, run_federation
from torch import Tensor

from fedmvp_core.config import RunConfig

CPU_INFO = Path("/proc/cpuinfo")
GOLDEN = Path(__file__).with_name("golden_runs.json")
CLIENTS = 3
# Each reaches other code: both phases, attacks in training, deep prompts, words, frames, rules.
RUNS: Mapping[str, Mapping[str, Any]] = {
    "fedmvp": {"lora_threshold": 1e9, "lora_init": "normal", "rounds": 3},
    # Queries and keys matter: from a random start, and with class features that differ.
    "fedmvp-random": {
        "pretrained": "embedded",
        "method_options": "prompt-init=random lora-threshold=1e9 lora-init=normal",
        "rounds": 3,
        "keep_momentum": True,
        "warmup_rounds": 1,
        "warmup_rate": 0.01,
    },
    "fedmvp-capt": {
        "method": "fedmvp-capt",
        "partition": "iid",
        "coupled_prompts": True,
        "attack_steps": 2,
    },
    "capt": {
        "method": "capt",
        "partition": "iid",
        "alpha_cons": "confidence",
        "robust_attack": "pgd",
    },
    "fap": {"method": "fap", "partition": "dirichlet", "weighting": "examples"},
    "apt": {"method": "apt", "partition": "iid", "attack_prompt": "perturbed", "context_length": 4},
    "avp": {"method": "avp", "partition": "iid", "learning_rate": 1.0},
    "fedmedian": {"strategy": "fedmedian", "fraction_train": 1.0, "partition": "iid"},
    "local-privacy": {"privacy": "local", "dp_noise": "seeded", "partition": "iid"},
}


def machine() -> str:
    """What bits depend on beside the configuration: MKL and oneDNN know each processor's model."""
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else []
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    told = {key.strip(): value.strip() for key, value in facts.items()}
    model = "-".join(told.get(key, "") for key in ("vendor_id", "cpu family", "model", "stepping"))
    kernels = torch.backends.cpu.get_cpu_capability()
    return f"{platform.machine()} {model} {kernels} torch {torch.__version__.partition('+')[0]}"


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names and bytes."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(name.encode() + tensors[name].contiguous().numpy().tobytes())
    return found.hexdigest()


def left_by(config: RunConfig) -> tuple[dict[str, float], str]:
    """The norms of the tensors that a run ends with, and their digest."""
    run_federation(config, CLIENTS)
    tensors = final_tensors(config)
    norms = {name: float(value.double().norm()) for name, value in sorted(tensors.items())}
    return norms, digest(tensors)


def about(norms: Mapping[str, float]) -> Any:
    """Equal to a part in a thousand; a norm of less than 1e-9 is rounding, and stands for none."""
    return pytest.approx(norms, rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("name", RUNS)
def test_a_golden_run_ends_in_the_same_bits(small_run: Callable[..., RunConfig], name: str) -> None:
    norms, found = left_by(small_run(**{"local_epochs": 1, **RUNS[name]}))
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("GOLDEN") == "write":
        before = golden.get(name, {"norms": {}, "bits": {}})
        kept = before if norms == about(before["norms"]) else {"norms": norms, "bits": {}}
        golden[name] = {**kept, "bits": {**kept["bits"], machine(): found}}
        GOLDEN.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n")
    assert norms == about(golden[name]["norms"])
    assert found == golden[name]["bits"].get(machine(), found)
