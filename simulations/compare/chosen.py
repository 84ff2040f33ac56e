"""Which runs are compared: found and looked at before anything slow is loaded."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fedmvp_core.errors import ConfigError
from fedmvp_core.run_folder import METRICS, read_metrics
from simulations.runner.results import find_run


def chosen_runs(words: Sequence[str], output_dir: Path) -> dict[str, Path]:
    """What each run is called in the comparison -> its folder.

    words: paths of run folders, or names below `output_dir`. A run is called by its folder's name;
    of several folders of one name each is called as it was written.

    Raises:
        ConfigError: there are fewer than two, one is named twice, is no run, or has measured
            nothing yet.
        DataError: a table of numbers is damaged.
    """
    if len(words) < 2:
        given = f"'{words[0]}' is one run" if words else "no run is named"
        raise ConfigError(f"{given}; allowed: two runs or more")
    found: dict[Path, str] = {}
    for word in words:
        folder = find_run(word, output_dir)
        if folder.resolve() in found:
            same = found[folder.resolve()]
            raise ConfigError(f"'{word}' and '{same}' are the same run; allowed: different ones")
        found[folder.resolve()] = word
        _check_measured(word, folder)
    names = Counter(folder.name for folder in found)
    return {word if names[path.name] > 1 else path.name: path for path, word in found.items()}


def check_output(path: Path) -> None:
    """Whether the page can be written there; raises ConfigError if not."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"output is '{path}'; allowed: a file that ends in .html")
    if path.is_dir() or not path.absolute().parent.is_dir():
        what = "is a folder" if path.is_dir() else "is in a folder that is not there"
        raise ConfigError(f"output is '{path}', which {what}; allowed: a file in a folder")


def _check_measured(word: str, folder: Path) -> None:
    if not (folder / METRICS).is_file() or not read_metrics(folder / METRICS):
        raise ConfigError(
            f"run '{word}' has measured nothing yet ({folder / METRICS} has no row); allowed: runs "
            "that have been evaluated once or more"
        )
