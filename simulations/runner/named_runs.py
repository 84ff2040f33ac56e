"""Named runs: TOML files that hold a description, a number of SuperNodes and run-config keys."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.config import DataSection, RunConfig, Scalar, did_you_mean, parse_config
from fedmvp_core.config.options import option_words, options_text
from fedmvp_core.errors import ConfigError
from fedmvp_core.user_files import read_toml
from simulations.runner.overrides import merged as merged_keys
from simulations.runner.project import default_config, package_folder
from simulations.runner.published import warn_departures, with_published
from simulations.runner.unread import warn_unread

DEFAULT_SUPERNODES = 6
# Values of `pretrained` and `attributes` that name a thing of ours, not a file.
_NO_PATHS = ("", "embedded", "shipped", "none", "auto", "template", "shuffled")
_WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")


@dataclass(frozen=True)
class NamedRun:
    """A run as its file describes it, before the command line has its say."""

    name: str
    description: str
    supernodes: int  # 0 = not said
    config: Mapping[str, Scalar]
    own: bool = False  # a user's file: every key in it is the user's word


def runs_folder() -> Path:
    """Where the shipped run files lie."""
    return package_folder("simulations") / "runs"


def run_names() -> list[str]:
    """Names of the shipped runs."""
    return sorted(path.stem for path in runs_folder().glob("*.toml"))


def load_named_run(name: str) -> NamedRun:
    """Read a shipped run by its name, or any run file by its path.

    Raises:
        ConfigError: there is no such run, or the file is not what a run file must be.
    """
    path = Path(name).expanduser() if name.endswith(".toml") else runs_folder() / f"{name}.toml"
    try:
        table = read_toml(path)
    except OSError as error:
        if name.endswith(".toml"):
            raise ConfigError(f"run file {path} cannot be read: {error.strerror}") from None
        raise ConfigError(
            f"unknown run '{name}'{did_you_mean(name, run_names())}; see: fedmvp list"
        ) from None
    except ValueError as error:
        raise ConfigError(f"run file {path} is no TOML: {error}") from None
    own = name.endswith(".toml")
    return dataclasses.replace(named_run_from(path.stem, table, str(path)), own=own)


def named_run_from(name: str, table: Mapping[str, object], where: str) -> NamedRun:
    """A NamedRun from the parsed table of a run file or of one entry in a suite."""
    allowed = {"description": str, "supernodes": int, "config": dict}
    for key, value in table.items():
        if key not in allowed:
            raise ConfigError(f"{where}: unknown key '{key}'{did_you_mean(key, list(allowed))}")
        if type(value) is not allowed[key]:
            raise ConfigError(f"{where}: {key} is {value!r}; allowed: a {allowed[key].__name__}")
    config: dict[str, Scalar] = dict(table.get("config", {}))  # type: ignore[call-overload]
    for key, value in config.items():
        if isinstance(value, dict):
            raise ConfigError(
                f"{where}: {key} is a table; write an option with quotes, for example "
                f'"{key}.{next(iter(value), "NAME")}" = VALUE'
            )
    config.setdefault("run-name", name)
    supernodes = int(table.get("supernodes", 0))  # type: ignore[call-overload]
    return NamedRun(name, str(table.get("description", "")), supernodes, config)


def resolve_config(run: NamedRun, overrides: Mapping[str, Scalar]) -> RunConfig:
    """Defaults, then the run's keys, then the overrides: checked, and with absolute paths.

    protocol=published puts the method's published values below the place that names it. What the
    run has otherwise, and what is written and nothing reads, is logged as a warning.
    """
    layers = with_published([default_config(), run.config, overrides])
    merged = merged_keys(*layers)
    for key in ("output-dir", "cache-dir", "data-dir", "label-split", "setting.label-split"):
        if merged.get(key):
            merged[key] = _absolute(str(merged[key]))
    words = option_words("the setting", str(merged["setting-options"]))
    if words.get("label-split"):
        words["label-split"] = _absolute(words["label-split"])
        merged["setting-options"] = options_text(words)
    if _is_path(str(merged.get("attributes", ""))):
        merged["attributes"] = _absolute(str(merged["attributes"]))
    parts = pretrained_parts(str(merged.get("pretrained", "")))
    merged["pretrained"] = "+".join(_absolute(p) if _is_path(p) else p for p in parts)
    merged["backbone"] = _absolute_folder(str(merged["backbone"]))
    config = parse_config(merged)
    warn_departures(config)
    warn_unread({**(run.config if run.own else {}), **overrides}, config)
    return config


def resolve_supernodes(
    run: NamedRun, overrides: Mapping[str, Scalar], data: DataSection, asked: int | None
) -> int:
    """How many SuperNodes to simulate; the more explicit wish wins.

    Raises:
        ConfigError: the number is below 1, or `clients` asks for another number of shards.
    """
    wished = int(overrides.get("clients", 0))
    supernodes = asked if asked is not None else wished or run.supernodes or data.clients
    supernodes = DEFAULT_SUPERNODES if supernodes == 0 and asked is None else supernodes
    if supernodes < 1:
        raise ConfigError(f"supernodes is {supernodes}; allowed: 1 or more")
    if data.clients not in (0, supernodes):
        raise ConfigError(
            f"clients is {data.clients} but supernodes is {supernodes}; allowed: clients=0 "
            "(one shard for each supernode) or the same number"
        )
    return supernodes


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def pretrained_parts(pretrained: str) -> list[str]:
    """BASE and, of "BASE+TOWER", the path of an image tower."""
    return [pretrained] if Path(pretrained).is_file() else pretrained.split("+", 1)


def _absolute_folder(backbone: str) -> str:
    """The name of a backbone, absolute if it is one of open_clip's folders."""
    folder = backbone.removeprefix("local-dir:")
    is_folder = (
        folder != backbone or (Path(folder).expanduser() / "open_clip_config.json").is_file()
    )
    return _absolute(folder) if is_folder else backbone


def _is_path(value: str) -> bool:
    if value in _NO_PATHS:
        return False
    looks = "/" in value or value.lower().endswith((*_WEIGHT_SUFFIXES, ".json"))
    return looks or Path(value).is_file()
