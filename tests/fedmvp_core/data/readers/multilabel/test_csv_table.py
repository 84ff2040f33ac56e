"""Tables as the spreadsheets of different countries and systems save them."""

from pathlib import Path

import pytest

from fedmvp_core.data.readers.multilabel.csv_folder import csv_folder
from fedmvp_core.data.readers.multilabel.csv_table import read_table
from fedmvp_core.errors import DataError

PLAIN = "file,split,labels\nbeach/1.jpg,train,dog;sea\n2.JPG,test,dog\n"
EXPECTED = {"train": [("beach/1.jpg", (0, 1))], "test": [("2.JPG", (0,))]}


def folder_of(tmp_path: Path, table: str | bytes) -> Path:
    """labels.csv with these bytes, and the two pictures of PLAIN."""
    folder = tmp_path / "own"
    (folder / "beach").mkdir(parents=True)
    for name in ("beach/1.jpg", "2.JPG"):
        (folder / name).touch()
    content = table.encode() if isinstance(table, str) else table
    (folder / "labels.csv").write_bytes(content)
    return folder


def found(folder: Path) -> dict[str, list[tuple[str, tuple[int, ...]]]]:
    return {
        split: [(p.path.relative_to(folder).as_posix(), p.labels) for p in pictures]
        for split, pictures in csv_folder(folder).splits.items()
    }


QUOTED = 'file,split,labels\n"beach/1.jpg","train","dog;sea"\n"2.JPG",test,dog\n'


@pytest.mark.parametrize(
    "table",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        QUOTED,
        PLAIN + "\n\n",
        PLAIN + ",,\n , ,\n",
        PLAIN.replace("\n", ",,\n"),
        PLAIN.replace("file,split,labels", "File,Split,Labels"),
        PLAIN.replace(",", " , "),
        PLAIN.replace("beach/1.jpg", "beach\\1.jpg"),
        PLAIN.replace("beach/1.jpg", "./beach//1.jpg"),
        PLAIN.removesuffix("\n"),
        "\n\n" + PLAIN,
    ],
    ids=range(15),
)
def test_the_same_table_in_other_clothes(tmp_path: Path, table: str | bytes) -> None:
    folder = folder_of(tmp_path, table)
    assert found(folder) == EXPECTED
    assert csv_folder(folder).notes == ("split 'test' has no picture of sea",)


@pytest.mark.parametrize(("mark", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_the_delimiter_is_told_by_the_header_and_said(tmp_path: Path, mark: str, word: str) -> None:
    folder = folder_of(tmp_path, QUOTED.replace(",", mark))
    assert found(folder) == EXPECTED
    assert csv_folder(folder).notes[0] == f"the cells of labels.csv are parted by {word}"


def test_labels_with_semicolons_do_not_make_them_the_delimiter(tmp_path: Path) -> None:
    rows = "".join(f"{i}.jpg,train,a;b;c;d;e\n" for i in range(50))
    (tmp_path / "labels.csv").write_text("file,split,labels\n" + rows)
    assert read_table(tmp_path / "labels.csv").notes == ()


def test_excels_first_line_names_the_delimiter(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "sep=;\r\n" + QUOTED.replace(",", ";").replace("\n", "\r\n"))
    assert found(folder) == EXPECTED
    (folder / "labels.csv").write_text("sep=;\nfile;split;labels\n2.JPG;tset;dog\n")
    with pytest.raises(DataError, match=r"line 3 of '.*labels.csv' has the split 'tset'"):
        csv_folder(folder)


def test_absolute_paths_and_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path, "")
    monkeypatch.setenv("HOME", str(tmp_path))
    table = f"file,split,labels\n{folder}/beach/1.jpg,train,dog;sea\n~/own/2.JPG,test,dog\n"
    (folder / "labels.csv").write_text(table)
    assert found(folder) == EXPECTED
    monkeypatch.chdir(tmp_path)
    assert found(Path("own")) == EXPECTED


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (PLAIN + "\n3.jpg,train\n", r"line 5 of '.*labels.csv' has 2 cells, the header 3"),
        (
            PLAIN.replace(",", ";"),
            r"line 2 of .* has 4 cells, the header 3 \(parted by semicolons; a cell that holds",
        ),
        (PLAIN + "\n\n2.JPG,extra,dog\n", "line 6 of .* has the split 'extra'; allowed: train"),
        (PLAIN + ",test,dog\n", "line 4 of .* names no file"),
        (PLAIN + '"3.jpg,test,dog\n4.jpg,test,dog\n', "line 4: unexpected end of data"),
        (PLAIN + '"3".jpg,test,dog\n', "line 4: .* expected after"),
        ('file,split,labels\n"beach/1.jpg","train","a\nb"\n3.jpg,x,a\n', "line 4 of .* split 'x'"),
        (PLAIN + "3.jpg,test,dog\n", r"names 1 pictures .*: 3.jpg \(line 4\)$"),
        (PLAIN.replace("2.JPG", "2.jpg"), r": 2.jpg \(line 3\) \(there is '2.JPG'\)$"),
        (PLAIN + "/tmp/x.jpg,test,dog\n", r"names pictures in '/tmp' \(line 4\), outside"),
        (PLAIN + "..\\x.jpg,test,dog\n", r"names pictures in '\.\.' \(line 4\), outside"),
        (PLAIN + "~/x.jpg,test,dog\n", r"names pictures in '.*' \(line 4\), outside"),
        (PLAIN + "2.JPG,test,sea\n", r"names '2.JPG' twice, in lines 3 and 4"),
        (PLAIN.encode() + b"caf\xe9.jpg,test,dog\n", r"line 4 is not UTF-8; save it as CSV in"),
        ("file,split,labels,labels\n1,train,a,b\n", "columns without a name of their own"),
        ("file,split,labels,Labels\n1,train,a,b\n", "has the columns file, split, labels, Labels"),
        ("file,split,labels,\n1,train,a,b\n", "line 2 of .* has 4 cells, the header 3"),
        ("sep=\nfile,split,labels\n1,train,a\n", "line 2 of .* has 3 cells, the header 1"),
        ("file,split,labels\n2.JPG,train,dog\n", "labels.csv' has no pictures for the test split"),
        ("\n\n", "has 0 lines; needed: a header and rows"),
        (b"", "has 0 lines"),
    ],
)
def test_file_and_line_are_named(tmp_path: Path, table: str | bytes, message: str) -> None:
    folder = folder_of(tmp_path, table)
    with pytest.raises(DataError, match=message) as refused:
        csv_folder(folder)
    assert str(folder / "labels.csv") in str(refused.value)


def test_an_accent_that_another_system_wrote_in_another_way(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "file,split,labels\ncaf\u00e9.jpg,train,a\n2.JPG,test,a\n")
    (folder / "cafe\u0301.jpg").touch()
    with pytest.raises(DataError, match=r"café.jpg \(line 2\) \(there is 'cafe"):
        csv_folder(folder)


def test_a_folder_where_the_table_should_be(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").mkdir()
    with pytest.raises(DataError, match=r"labels.csv' cannot be read: it is a folder"):
        csv_folder(tmp_path)


def test_the_table_where_the_folder_should_be(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, PLAIN)
    with pytest.raises(DataError, match=r"data-dir '.*labels.csv' is not a folder; 'labels.csv'"):
        csv_folder(folder / "labels.csv")


def test_a_folder_where_attributes_should_be(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, PLAIN)
    (folder / "attributes.json").mkdir()
    with pytest.raises(DataError, match=r"attributes.json"):
        csv_folder(folder)


def test_a_backslash_that_is_part_of_a_name(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "file,split,labels\na\\b.jpg,train,x\n2.JPG,test,x\n")
    (folder / "a\\b.jpg").touch()
    assert found(folder)["train"] == [("a\\b.jpg", (0,))]
