"""Users' JSON and TOML: read however an editor, a spreadsheet or a language model wrote them."""

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest

from fedmvp_core.attributes.files import read_attributes
from fedmvp_core.data.label_masks import read_label_split
from fedmvp_core.data.readers.split_json import _parsed
from fedmvp_core.errors import ConfigError, DataError
from fedmvp_core.user_files import read_json, read_text, read_toml
from simulations.attributes.classes import read_class_names
from simulations.runner.named_runs import load_named_run
from simulations.suite.files import load_suite


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.json"


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1}',
        codecs.BOM_UTF8 + b'{"a": 1}',
        b'{\r\n"a": 1\r\n}\r\n',
        b'```json\n{"a": 1}\n```\n',
        b'\n\n```JSON\n{"a": 1}\n```',
        codecs.BOM_UTF8 + b'```\r\n{"a":\r\n1}\r\n```\r\n',
    ],
)
def test_a_mark_line_ends_and_a_fence_do_not_matter(data: bytes, file: Path) -> None:
    file.write_bytes(data)
    assert read_json(file) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ('{\n  "a": 1,\n}', r"line \d, column \d: .*comma"),
        ('{"a": [1, 2,\n]}', r"line \d, column \d+: .*comma"),
        ('{\n  // mine\n  "a": 1}', "line 2, column 3: .*no comments"),
        ('{"a": 1 # mine\n}', "line 1, column 9: .*no comments"),
        ("{'a': 1}", "line 1, column 2: .*double quotes"),
        ("{\u201ca\u201d: 1}", "line 1, column 2: .*straight"),
        ('{"a": True}', "line 1, column 7: .*true, false and null"),
        ('{\n"NaN": NaN}', "line 2, column 8: NaN is no JSON number"),
        ('{"a": -Infinity}', "line 1, column 7: -Infinity is no JSON number"),
        ('{"a": 1, "b": 2, "a": 3}', "names twice: 'a'"),
        ('{"x": {"a": 1, "a": 3}}', "names twice: 'a'"),
        ('{"a": 1}\n{"a": 2}', "line 2, column 1: there is more after the end"),
        ('Here is the JSON:\n{"a": 1}', "'Here is the JSON:'; leave out the words around it"),
        ('```json\n{\n"a": tiny}\n```', "line 3, column 6"),
        (r'{"a": "\ud83d"}', "half of a character"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(text: str, message: str, file: Path) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_json(file)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_text_is_named(encoding: str, file: Path) -> None:
    file.write_text('{"a": 1}', encoding=encoding)
    with pytest.raises(ValueError, match=r"it is UTF-\d\d text.*save it as UTF-8"):
        read_text(file)


def test_windows_text_is_told_with_its_line(file: Path) -> None:
    file.write_bytes('{"ant": 1,\n"café": 2}'.encode("cp1252"))
    with pytest.raises(ValueError, match="line 2 holds the byte 0xe9, which is no UTF-8"):
        read_text(file)


def test_toml_with_a_mark(file: Path) -> None:
    file.write_bytes(codecs.BOM_UTF8 + b"a = 1\r\n")
    assert read_toml(file) == {"a": 1}


READERS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "attributes": (read_attributes, "m.json", '{"ant": ["six legs"]}'),
    "class names, JSON": (read_class_names, "m.json", '["ant"]'),
    "class names, lines": (read_class_names, "m.txt", "ant\n"),
    "label split": (
        lambda path: read_label_split(path, ("ant", "bee")),
        "m.json",
        '{"seen": ["ant"], "unseen": ["bee"]}',
    ),
    "split file": (_parsed, "m.json", '{"train": [], "test": []}'),
    "run file": (lambda path: load_named_run(str(path)).config, "m.toml", "[config]\nrounds = 3"),
    "suite": (
        lambda path: load_suite(str(path)).name,
        "m.toml",
        "[runs.one]\nconfig = {rounds = 1}\n",
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_takes_a_mark_and_names_wide_text(reader: str, tmp_path: Path) -> None:
    read, name, text = READERS[reader]
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    plain = read(path)
    path.write_text(text, encoding="utf-8-sig")
    assert read(path) == plain
    path.write_text(text, encoding="utf-16")
    with pytest.raises((DataError, ConfigError), match=rf"{path}.*it is UTF-16 text"):
        read(path)


def test_a_class_name_of_the_first_line_has_no_mark(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(codecs.BOM_UTF8 + b"ant\r\nbee\r\n")
    assert read_class_names(path) == ("ant", "bee")
