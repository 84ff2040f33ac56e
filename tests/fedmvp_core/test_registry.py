"""Plugins: what is installed is listed, and another package's is found."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from run_configs import run_config

from fedmvp_core import registry
from fedmvp_core.errors import ConfigError
from fedmvp_core.methods import find_method


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed distribution that adds a method, a broken one, and one that is not there."""
    folder = tmp_path / "theirs-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[fedmvp.methods]\n"
        "their-method = their_package:method\n"
        "broken = their_package.missing:method\n"
        "absent = their_package:nothing\n"
    )
    (tmp_path / "their_package.py").write_text(
        "from fedmvp_core.methods import Method\n"
        "method = Method('their-method', 'a paper', lambda backbone, options, words: None, None)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    registry._entries.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    registry._entries.cache_clear()


def test_built_in_names() -> None:
    assert {"fedmvp", "zs-clip"} <= set(registry.names_in(registry.METHODS))
    assert {"emojidomains", "imagefolder"} <= set(registry.names_in(registry.DATASETS))
    assert {"by-domain", "dirichlet", "iid"} <= set(registry.names_in(registry.PARTITIONS))
    assert {"base-to-new", "msst"} <= set(registry.names_in(registry.SETTINGS))
    assert {"fedavg", "krum"} <= set(registry.names_in(registry.AGGREGATIONS))
    assert {"fedprox", "scaffold"} <= set(registry.names_in(registry.TERMS))


def test_an_unknown_name_lists_what_is_installed() -> None:
    with pytest.raises(ConfigError, match=r"method is 'coop'; installed: .*fedmvp.*zs-clip"):
        registry.find(registry.METHODS, "coop")
    with pytest.raises(ConfigError, match=r"x is 'y'; installed: none"):
        registry.find("fedmvp.x", "y")


def test_a_family_stands_for_its_members() -> None:
    assert registry.listed_as("hf:a/b", ("hf:", "iid")) == "hf:"
    assert registry.listed_as("iid:a", ("hf:", "iid")) == "iid:a"
    assert registry.listed_as("iid", ("hf:", "iid")) == "iid"


@pytest.mark.usefixtures("third_party")
def test_another_packages_method_is_found_as_ours_are() -> None:
    assert "their-method" in registry.names_in(registry.METHODS)
    method = find_method(run_config(method="their-method"))
    assert (method.name, method.method.paper) == ("their-method", "a paper")


@pytest.mark.usefixtures("third_party")
@pytest.mark.parametrize("name", ["broken", "absent"])
def test_a_plugin_that_cannot_be_loaded_says_where_it_is(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"'{name}' of package theirs \(their_package.*\) fails"):
        registry.find(registry.METHODS, name)
