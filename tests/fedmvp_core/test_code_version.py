"""The hash of the running code, and the refusal of other code."""

import types
from pathlib import Path

import pytest

from fedmvp_core import code_version as sources
from fedmvp_core.errors import WireError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the app's packages, each with one file, as those that are running."""
    for package in sources.PACKAGES:
        (tmp_path / package / "inner").mkdir(parents=True)
        (tmp_path / package / "__init__.py").write_text("")
        (tmp_path / package / "inner" / "module.py").write_text("x = 1\n")

    def imported(package: str) -> types.SimpleNamespace:
        return types.SimpleNamespace(__file__=str(tmp_path / package / "__init__.py"))

    monkeypatch.setattr(sources.importlib, "import_module", imported)
    return tmp_path


def fresh_hash() -> str:
    return sources.source_hash.__wrapped__()


def test_hash_changes_with_every_package(project: Path) -> None:
    hashes = {fresh_hash()}
    for package in sources.PACKAGES:
        (project / package / "inner" / "module.py").write_text("x = 2\n")
        hashes.add(fresh_hash())
    assert len(hashes) == 4


def test_hash_changes_when_a_file_is_renamed_or_added(project: Path) -> None:
    before = fresh_hash()
    module = project / "client_app" / "inner" / "module.py"
    module.rename(module.with_name("renamed.py"))
    renamed = fresh_hash()
    (project / "client_app" / "new.py").write_text("")
    assert len({before, renamed, fresh_hash()}) == 3


def test_hash_ignores_line_endings_and_other_files(project: Path) -> None:
    before = fresh_hash()
    (project / "client_app" / "inner" / "module.py").write_bytes(b"x = 1\r\n")
    (project / "client_app" / "module.pyc").write_bytes(b"\0")
    assert fresh_hash() == before


def test_the_same_code_is_accepted() -> None:
    sources.check_sources(sources.source_hash(), "/anywhere")


def test_other_code_is_refused_naming_both_folders() -> None:
    with pytest.raises(WireError) as caught:
        sources.check_sources("0123456789abcdef", "/old/project")
    assert "'/old/project' (0123456789abcdef)" in str(caught.value)
    assert f"'{sources.source_folder()}' ({sources.source_hash()})" in str(caught.value)
