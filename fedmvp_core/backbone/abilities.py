"""What a device can do: bfloat16, and what torch.compile makes."""

import importlib.util
import os
import shutil
import sys
import sysconfig
from pathlib import Path

import torch

# Compute capabilities of GPUs with bfloat16 (Ampere), and of those that Triton compiles for.
BFLOAT16_FROM, TRITON_FROM = (8, 0), (7, 0)


def bfloat16_problem(device: torch.device) -> str:
    """Why a device cannot compute in bfloat16; "" if it can."""
    if device.type != "cuda":
        return (
            f"'bf16' needs a CUDA device, not '{device}': most CPUs lack bfloat16 instructions and "
            "are many times slower with it"
        )
    if torch.cuda.get_device_capability(device) < BFLOAT16_FROM:
        return f"'bf16' needs a GPU with bfloat16, not '{torch.cuda.get_device_name(device)}'"
    return ""


def compile_problem(device: torch.device) -> str:
    """Why torch.compile cannot work for a device here; "" if all that it needs is found."""
    if not torch._dynamo.is_dynamo_supported():
        return f"torch {torch.__version__} cannot compile with Python {sys.version.split()[0]}"
    if device.type == "cuda":
        if torch.cuda.get_device_capability(device) < TRITON_FROM:
            return f"Triton does not compile for '{torch.cuda.get_device_name(device)}'"
        if importlib.util.find_spec("triton") is None:
            return "the package triton is not installed"
        compilers = [os.environ["CC"]] if os.environ.get("CC") else ["gcc", "clang", "cc"]
    else:
        usual = "clang++" if sys.platform == "darwin" else "g++"
        compilers = [os.environ.get("CXX") or usual]
    if not any(shutil.which(compiler) for compiler in compilers):
        return f"no compiler is found for torch.compile on '{device}' ({' or '.join(compilers)})"
    headers = Path(sysconfig.get_path("include"))
    if not (headers / "Python.h").is_file():
        return f"torch.compile needs Python's headers, and {headers}/Python.h does not exist"
    return ""
