"""Plugins: what is installed is listed, and another package's is found."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from run_configs import run_config

from fedmvp_core import registry
from fedmvp_core.errors import ConfigError
from fedmvp_core.methods import find_method


def install(folder: Path, package: str, methods: str) -> None:
    """A distribution as pip leaves it, with these entry points for methods."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[fedmvp.methods]\n{methods}")


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two distributions: one adds a method and three that fail, the other takes their names."""
    install(
        tmp_path,
        "theirs",
        "their-method = their_package:method\n"
        "broken = their_package.missing:method\n"
        "absent = their_package:nothing\n"
        "raises = their_failing_package:method\n",
    )
    install(
        tmp_path,
        "zz-others",
        "fedmvp = other_package:method\n"
        "their-method = other_package:method\n"
        "other-method = their_package:method\n",
    )
    (tmp_path / "their_failing_package.py").write_text("raise RuntimeError('no such GPU')\n")
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


@pytest.mark.usefixtures("third_party")
def test_a_plugin_that_raises_on_import_is_named_with_its_package() -> None:
    with pytest.raises(
        ConfigError,
        match=r"method 'raises' of package theirs \(their_failing_package:method\) fails: "
        "RuntimeError: no such GPU",
    ):
        registry.find(registry.METHODS, "raises")


@pytest.mark.usefixtures("third_party")
def test_what_fails_leaves_the_rest_usable(caplog: pytest.LogCaptureFixture) -> None:
    installed = set(registry.names_in(registry.METHODS))
    caplog.clear()
    usable = registry.usable_in(registry.METHODS)
    assert installed - set(usable) == {"broken", "absent", "raises"}
    assert usable["their-method"].name == "their-method"
    assert usable["fedmvp"].name == "fedmvp"
    assert len(caplog.records) == 3
    for name in ("broken", "absent", "raises"):
        assert f"method '{name}' of package theirs" in caplog.text
    assert caplog.text.count("it is skipped") == 3


@pytest.mark.usefixtures("third_party")
def test_a_name_that_is_taken_is_skipped_with_a_warning_that_names_both(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Ours are ours, and the order in which folders are read decides nothing."""
    assert registry.find(registry.METHODS, "fedmvp").paper == "FedMVP (ICCV 2025)"
    assert registry.find(registry.METHODS, "their-method").paper == "a paper"
    assert registry.package_named(registry.METHODS, "fedmvp") == "fedmvp"
    assert registry.package_named(registry.METHODS, "their-method") == "theirs"
    assert registry.package_named(registry.METHODS, "other-method") == "zz-others"
    for name, owner in (("fedmvp", "fedmvp"), ("their-method", "theirs")):
        said = f"method '{name}' of package zz-others is skipped: package {owner} has that name"
        assert caplog.text.count(said) == 1
    assert len(caplog.records) == 2


def test_kinds_are_named_in_the_singular() -> None:
    kinds = [registry.kind_of(group) for group in registry.GROUPS]
    assert kinds == [
        *("method", "prompting", "objective", "term", "aggregation", "strategy"),
        *("partition", "setting", "dataset", "metric", "attack", "callback"),
    ]


@pytest.mark.parametrize("group", [registry.ATTACKS, registry.METRICS])
def test_attacks_and_metrics_are_entry_points(group: str) -> None:
    for name, plugin in registry.usable_in(group).items():
        assert callable(plugin), name
        assert registry.package_named(group, name) == "fedmvp"
