"""What is said of a plugin: learnt by loading it once, and kept on disk for the next time.

To load a plugin takes torch, so seconds. What it says of itself changes only with its code: what is
kept is used as long as no file of its package, and no installed plugin, is another than then.
"""

import hashlib
import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fedmvp_core.config.options import describe, options_type
from fedmvp_core.config.words import kebab, text
from fedmvp_core.data.readers.table import READERS
from fedmvp_core.disk import cache_directory, replace_text
from fedmvp_core.errors import FedMVPError
from fedmvp_core.registry import (
    ATTACKS,
    DATASETS,
    GROUPS,
    METHODS,
    STRATEGIES,
    declared,
    find,
    names_in,
    package_named,
)
from simulations.attack.names import ATTACK_NAMES

SIZED_AS = "ViT-B-16"
_OURS = ("fedmvp_core", "server_app", "simulations")  # whose code says how plugins are shown
_SHOWN = ("fedmvp", "torch", "open_clip_torch")  # packages that the sizes come from


@dataclass(frozen=True)
class About:
    """source: its paper, or the first sentence about it. facts: more of a method, by name.

    options: name, default, what is allowed and meaning of each, as they are shown.
    """

    source: str
    facts: dict[str, str]
    options: list[list[str]]


def about(group: str, name: str) -> About:
    """What a plugin is.

    Raises:
        ConfigError: it is not installed, fails on import, or declares no proper options.
    """
    return About(**_kept(group, name, "about", lambda: asdict(_asked(group, name))))


def sizes(name: str) -> list[list[str]]:
    """Phase and elements that are sent of a method at SIZED_AS; one row says why if unknown."""
    return _kept(METHODS, name, "sizes", lambda: _measured(name))


def _asked(group: str, name: str) -> About:
    plugin = find(group, name)
    facts = {}
    if group == METHODS:
        own = f"its own ({getattr(plugin.prompting, '__module__', '?')})"
        facts = {
            "objective": plugin.objective or "none: it trains nothing",
            "prompting": plugin.prompting if isinstance(plugin.prompting, str) else own,
        }
    return About(_source(group, name, plugin), facts, _options(group, plugin))


def _source(group: str, name: str, plugin: Any) -> str:
    """A plugin's paper or source; of one that names none, the first sentence about it."""
    if group == ATTACKS and name in ATTACK_NAMES:
        return ATTACK_NAMES[name][1]
    for field in ("paper", "source"):
        if isinstance(said := getattr(plugin, field, None), str):
            return said
    if group == DATASETS and name in READERS:
        return f"{READERS[name].expected_classes} classes, read from {READERS[name].folder}"
    described = inspect.isfunction(plugin) or inspect.isclass(plugin)
    return _first_sentence(inspect.getdoc(plugin) or "") if described else ""


def _first_sentence(paragraphs: str) -> str:
    paragraph = " ".join(paragraphs.split("\n\n")[0].split())
    sentence, stop, _ = paragraph.partition(". ")
    return sentence + stop.strip()


def _options(group: str, plugin: Any) -> list[list[str]]:
    """Its options; of a whole Flower strategy, the arguments of its constructor."""
    if group != STRATEGIES:
        described = describe(options_type(plugin))
        return [[o.name, text(o.default), o.allowed, o.meaning] for o in described]
    return [
        [kebab(p.name), text(p.default), type(p.default).__name__, ""]
        for p in inspect.signature(plugin).parameters.values()
        if isinstance(p.default, bool | int | float | str)
    ]


def _measured(name: str) -> list[list[str]]:
    from simulations.plugins.sizes import method_sizes  # builds a model

    try:
        return [[size.phase, str(size)] for size in method_sizes(name, SIZED_AS)]
    except FedMVPError as error:
        return [["unknown", str(error)]]


# --- kept on disk


def _kept(group: str, name: str, what: str, make: Callable[[], Any]) -> Any:
    """What `make` returns, from the disk if nothing that it comes from has changed since."""
    path = cache_directory("") / "plugins" / f"{group}-{quote(name, safe='')}-{what}.json"
    package = declared(group, name).value.partition(":")[0].partition(".")[0]
    stamp = _stamp((*_OURS, package))
    with suppress(OSError, ValueError, KeyError, TypeError):  # absent, damaged, of another version
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["stamp"] == stamp:
            return content[what]
    made = make()
    with suppress(OSError):  # it is asked again next time
        replace_text(path, json.dumps({"stamp": stamp, what: made}))
    return made


@cache
def _stamp(packages: tuple[str, ...]) -> str:
    """Another one after any change of installed plugins, versions or files of the packages."""
    digest = hashlib.sha256()
    for group in GROUPS:
        for name in names_in(group):
            digest.update(f"{group} {name} {package_named(group, name)}\n".encode())
    for distribution in _SHOWN:
        with suppress(PackageNotFoundError):
            digest.update(f"{distribution} {version(distribution)}\n".encode())
    for package in packages:
        for path in _sources(package):
            facts = path.stat()
            digest.update(f"{path} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _sources(package: str) -> list[Path]:
    """The files of a package's code, or the one file of a module; none if it is not there."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    folders = [Path(place) for place in spec.submodule_search_locations or ()]
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    return files if folders else [Path(spec.origin)] if spec.has_location and spec.origin else []
