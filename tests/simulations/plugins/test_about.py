"""What is said of plugins is kept, and learnt again when the code is another."""

import json
import os
import sys
from pathlib import Path

import pytest

from fedmvp_core import registry
from fedmvp_core.errors import ConfigError
from fedmvp_core.registry import OBJECTIVES, PARTITIONS
from simulations.plugins import about as about_module
from simulations.plugins.about import about
from simulations.plugins.listing import kind_table

SOURCE = '''
def deal(dataset, clients, data, options, seed):
    """{sentence}"""
'''


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that descriptions are kept in."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    about_module._stamp.cache_clear()
    yield tmp_path / "cache" / "fedmvp" / "plugins"
    about_module._stamp.cache_clear()


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the plugins that are loaded."""
    names: list[str] = []
    find = about_module.find
    monkeypatch.setattr(about_module, "find", lambda g, n: (names.append(n), find(g, n))[1])
    return names


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The module of a partition "guest" that another package has installed."""
    module = tmp_path / "fedmvp_dealing.py"
    module.write_text(SOURCE.format(sentence="Cards are dealt."))
    info = tmp_path / "fedmvp_dealing-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fedmvp-dealing\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[fedmvp.partitions]\nguest = fedmvp_dealing:deal\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "fedmvp_dealing", raising=False)
    registry._entries.cache_clear()
    yield module
    registry._entries.cache_clear()


def learnt_again() -> None:
    """As another process begins."""
    about_module._stamp.cache_clear()


def test_a_plugin_is_loaded_once(loads: list[str]) -> None:
    first = about(OBJECTIVES, "trades")
    learnt_again()
    assert about(OBJECTIVES, "trades") == first
    assert first.source == "TRADES (ICML 2019)"
    assert loads == ["trades"]


def test_changed_code_is_asked_again(guest: Path, loads: list[str]) -> None:
    assert about(PARTITIONS, "guest").source == "Cards are dealt."
    facts = guest.stat()
    os.utime(guest, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000_000))
    learnt_again()
    about(PARTITIONS, "guest")
    assert loads == ["guest", "guest"]


def test_another_installed_plugin_is_seen(
    tmp_path: Path, loads: list[str], request: pytest.FixtureRequest
) -> None:
    about(PARTITIONS, "iid")
    learnt_again()
    request.getfixturevalue("guest")  # an option may list the names of a group
    about(PARTITIONS, "iid")
    assert loads == ["iid", "iid"]


@pytest.mark.parametrize(
    "left", ["", "{", "[]", '{"stamp": 1}', '{"stamp": null, "about": {}}', "\x00\xff"]
)
def test_a_damaged_file_is_made_again(cache: Path, loads: list[str], left: str) -> None:
    first = about(PARTITIONS, "iid")
    (path,) = cache.iterdir()
    path.write_bytes(left.encode("latin-1"))
    assert about(PARTITIONS, "iid") == first
    assert json.loads(path.read_text())["about"]["source"] == first.source
    assert loads == ["iid", "iid"]


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert about(PARTITIONS, "iid").source.startswith("Images in random order")


def test_a_broken_plugin_is_named_with_its_package(
    guest: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guest.write_text("raise RuntimeError('no such card')\n")
    for _ in range(2):  # nothing is kept of a failure
        caplog.clear()
        kind_table("partitions")
        (said,) = caplog.messages
        assert "'guest' of package fedmvp-dealing" in said
        assert "no such card" in said
    with pytest.raises(ConfigError, match="fedmvp-dealing"):
        about(PARTITIONS, "guest")
    assert "guest" in registry.names_in(PARTITIONS)
