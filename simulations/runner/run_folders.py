"""Finds the run that a word on the command line means."""

from pathlib import Path

from fedmvp_core.config import did_you_mean
from fedmvp_core.errors import ConfigError
from fedmvp_core.run_folder import holds_run


def find_run(word: str, output_dir: Path) -> Path:
    """A run folder from its path, or from its name below `output_dir`.

    Raises:
        ConfigError: neither is a folder that holds a run.
    """
    candidates = (Path(word).expanduser(), output_dir / word)
    for folder in candidates:
        if holds_run(folder):
            return folder.absolute()
    if candidates[0].is_dir():
        raise ConfigError(f"{candidates[0]} holds no run (it has no config.json)")
    names = [folder.name for folder in run_folders(output_dir)]
    hint = did_you_mean(word, names) if names else f"; {output_dir} holds no runs"
    raise ConfigError(f"no run '{word}'{hint}")


def run_folders(output_dir: Path) -> list[Path]:
    """The run folders directly below a folder, by name."""
    if not output_dir.is_dir():
        return []
    return sorted(path for path in output_dir.iterdir() if path.is_dir() and holds_run(path))
