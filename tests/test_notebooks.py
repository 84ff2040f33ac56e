"""The notebooks and the examples of docs/python.md run as they are written."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image
from typer.testing import CliRunner

from simulations import cli

PROJECT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((PROJECT / "docs" / "notebooks").glob("*.ipynb"))
PAGE = PROJECT / "docs" / "python.md"
_BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory and a cache of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


def test_there_are_notebooks_and_the_page_names_them() -> None:
    assert {path.name for path in NOTEBOOKS} == {"ten_minutes.ipynb", "your_own_images.ipynb"}
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"(notebooks/{path.name})" in page for path in NOTEBOOKS)


def code_of(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_notebooks_are_kept_without_outputs() -> None:
    for path in NOTEBOOKS:
        code = code_of(nbformat.read(path, as_version=4))
        assert code
        assert all(not cell.outputs and cell.execution_count is None for cell in code)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, resources=resources).execute()
    said = str([output for cell in code_of(notebook) for output in cell.outputs])
    assert "round 2/2" in said
    assert "fedmvp_model.safetensors" in said or "exports/mine" in said


def test_the_examples_of_the_page_run_in_their_order(tmp_path: Path) -> None:
    names: dict[str, object] = {}
    Image.new("RGB", (80, 60), "orange").save(tmp_path / "cake.png")
    for language, text in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if language == "python":
            exec(compile(text, str(PAGE), "exec"), names)
            continue
        for line in text.splitlines():
            words = line.partition("#")[0].split()
            if words[1] == "export":
                done = CliRunner().invoke(cli.app, words[1:])
                assert done.exit_code == 0, done.output
    assert (tmp_path / "model" / "image_encoder.onnx").is_file()
    assert set(names["result"].accuracy) == {"local", "base", "new", "harmonic-mean"}  # type: ignore[attr-defined]
    assert len(names["other"])  # type: ignore[arg-type]
    assert len(names["robust"])  # type: ignore[arg-type]
