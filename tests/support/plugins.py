"""Plugins of a test, as if a package had installed them."""

from dataclasses import dataclass
from typing import Any

import pytest

from fedmvp_core import registry


@dataclass(frozen=True)
class Installed:
    """What the registry asks of an entry point."""

    name: str
    plugin: Any
    value: str = "a_test:plugin"
    dist: None = None

    def load(self) -> Any:
        """The plugin."""
        return self.plugin


def install(monkeypatch: pytest.MonkeyPatch, group: str, name: str, plugin: Any) -> None:
    """Let `find(group, name)` find the plugin until the test ends."""
    before = registry._entries
    entries = {**before(group), name: Installed(name, plugin)}
    monkeypatch.setattr(registry, "_entries", lambda g: entries if g == group else before(g))
