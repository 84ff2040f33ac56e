"""`fedmvp attributes check`: the form alone, the classes, and what a text encoder reads."""

import codecs
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from simulations import cli

LONG = " ".join(["cat"] * 30)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"ant": ["six legs"], "bee": ["two wings", "black stripes"]}))
    return path


def check(*words: Path | str) -> Any:
    return CliRunner().invoke(cli.app, ["attributes", "check", *map(str, words)])


def test_a_file_alone_is_checked_for_its_form(file: Path) -> None:
    result = check(file)
    assert result.exit_code == 0, result.output
    assert f"{file}: the form is right; classes: 2, 1 to 2 phrases each" in result.output
    file.write_bytes(codecs.BOM_UTF8 + file.read_bytes())
    assert check(file).output == result.output


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"ant": ["six legs"],}', "line 1, column"),
        ('{"ant": "six legs"}', "attributes of class 'ant'"),
        ('{"ant": ["..."]}', "attributes of class 'ant'"),
        ('{"ant": ["a", "A."]}', "has a phrase twice"),
        ("Sure! Here it is: {}", "leave out the words around it"),
    ],
)
def test_a_form_that_is_wrong(text: str, sentence: str, file: Path) -> None:
    file.write_text(text)
    result = check(file)
    assert result.exit_code == 1
    assert sentence in result.stderr
    file.write_text(text, encoding="utf-16")
    assert "it is UTF-16 text; save it as UTF-8" in check(file).stderr


def test_fenced_answers_of_a_model_are_read(file: Path) -> None:
    file.write_text(f"```json\n{file.read_text()}\n```\n")
    assert "classes: 2" in check(file).output


def test_both_sources_of_classes_are_still_refused(file: Path) -> None:
    result = check(file, "--dataset", "vlcs", "--classes", file)
    assert result.exit_code == 2
    assert "either by --classes FILE or by --dataset NAME" in result.stderr


def test_what_a_backbone_reads(file: Path) -> None:
    result = check(file, "--backbone", "tiny")
    assert result.exit_code == 0, result.output
    assert "the text encoder of 'tiny' reads every sentence wholly" in result.output
    file.write_text(json.dumps({"ant": [LONG]}))
    result = check(file, "--backbone", "tiny")
    assert result.exit_code == 0
    assert "warning: the text encoder of 'tiny' reads 30 tokens and cuts the end" in result.output
    assert f"a picture of a ant, such as {LONG}.' of class 'ant'" in result.output
    assert "reads every sentence wholly" in check(file, "--backbone", "ViT-B-16").output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--template", f"{LONG} {{class}}"], "which cuts the name of class 'ant'"),
        (["--attribute-template", f"{LONG} {{class}} {{attribute}}"], "which cuts the name"),
        (["--template", "no placeholder"], "it must hold {class}"),
        (["--backbone", "tinny"], "backbone 'tinny' is unknown: did you mean 'tiny'"),
    ],
)
def test_what_a_backbone_cannot_read(words: Sequence[str], sentence: str, file: Path) -> None:
    result = check(file, "--backbone", "tiny", *words)
    assert result.exit_code != 0
    assert sentence in " ".join(result.stderr.split())
