"""An environment that borrows all packages of this one, for packages that a test installs."""

import subprocess
import sys
import sysconfig
from importlib.metadata import distribution
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
# Flower starts its parts by the names of their commands.
COMMANDS_OF = ("flwr", "fedmvp")


def light_environment(folder: Path, *packages: Path) -> Path:
    """Make it in `folder`, install packages from their folders; returns its bin folder."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    commands = folder / "bin"
    python = commands / "python"
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True)
    # As a folder of packages, whose own .pth files count: this one may borrow packages itself.
    borrowed = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n{PROJECT}\n"
    (Path(site.stdout.strip()) / "borrowed.pth").write_text(borrowed, encoding="utf-8")
    for name in COMMANDS_OF:
        for entry in distribution(name).entry_points.select(group="console_scripts"):
            _write_command(commands / entry.name, python, entry.module, entry.attr)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for package in packages:
        subprocess.run([*install, "--no-deps", package], check=True)
    return commands


def _write_command(path: Path, python: Path, module: str, function: str) -> None:
    lines = (
        f"#!{python}",
        "import sys",
        f"from {module} import {function}",
        f"sys.exit({function}())",
    )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(0o755)
