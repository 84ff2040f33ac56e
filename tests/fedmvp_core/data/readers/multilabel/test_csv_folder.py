"""One's own pictures with a table of labels."""

from pathlib import Path

import pytest

from fedmvp_core.data.readers.multilabel.csv_folder import csv_folder
from fedmvp_core.errors import DataError

TABLE = """file,split,labels
beach/1.jpg,train,dog; sea;person
beach/2.jpg,val,sea
3.png,TEST,
4.png,test,person
"""


def write(folder: Path, table: str, pictures: bool = True) -> Path:
    (folder / "labels.csv").write_text(table)
    for line in table.splitlines()[1:] if pictures else []:
        picture = folder / line.split(",")[0]
        picture.parent.mkdir(exist_ok=True)
        picture.touch()
    return folder


def test_labels_and_splits(tmp_path: Path) -> None:
    listing = csv_folder(write(tmp_path, TABLE))
    assert listing.multi_label
    assert listing.class_names == ("dog", "person", "sea")
    found = {
        split: {str(p.path.relative_to(tmp_path)): p.labels for p in pictures}
        for split, pictures in listing.splits.items()
    }
    assert found == {
        "train": {"beach/1.jpg": (0, 1, 2)},
        "validation": {"beach/2.jpg": (2,)},
        "test": {"3.png": (), "4.png": (1,)},
    }
    assert listing.attributes is None


def test_domains_and_attributes(tmp_path: Path) -> None:
    table = "file,split,labels,domain\n1.png,train,dog,sketch\n2.png,test,dog,photo\n"
    (tmp_path / "attributes.json").write_text('{"dog": ["barking"]}')
    listing = csv_folder(write(tmp_path, table))
    assert [p.domain for pictures in listing.splits.values() for p in pictures] == [
        "sketch",
        "photo",
    ]
    assert listing.attributes == {"dog": ("barking",)}


def test_pictures_without_a_split_are_dealt_out(tmp_path: Path) -> None:
    rows = [f"{i:02d}.png,,{'dog' if i % 2 else 'cat'}" for i in range(20)]
    table = "\n".join(["file,split,labels", *rows, "extra.png,test,dog"]) + "\n"
    listing = csv_folder(write(tmp_path, table))
    assert {split: len(pictures) for split, pictures in listing.splits.items()} == {
        "train": 12,
        "validation": 4,
        "test": 5,
    }
    again = csv_folder(
        write(tmp_path, "\n".join(["file,split,labels", "extra.png,test,dog", *rows]))
    )
    for split, pictures in listing.splits.items():
        assert {p.path for p in pictures} == {p.path for p in again.splits[split]}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("file,labels\n1.png,dog\n", "has the columns file, labels; allowed: file, split, labels"),
        ("file,split,labels,size\n1.png,train,dog,3\n", "columns file, split, labels, size; allow"),
        (
            "file,split,labels\n1.png,extra,dog\n",
            "line 2 of .* has the split 'extra'; allowed: train, validation",
        ),
        ("file,split,labels\n1.png,test,dog\n1.png,test,dog\n", "'1.png' twice, in lines 2 and 3"),
        ("file,split,labels\n1.png,train,\n2.png,test,;\n", "gives no picture a label"),
        ("file,split,labels\n1.png,train,dog\n", "has no pictures for the test split"),
        ("file,split,labels\n1.png,test,dog\n", "has no pictures for the train split"),
        ("file,split,labels\n1.png,test\n", "line 2 of .* has 2 cells, the header 3"),
        ("file,split,labels\n", "has 1 lines; needed: a header and rows"),
        ("file,split,split\n1.png,test,dog\n", "has columns without a name of their own"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        csv_folder(write(tmp_path, table))


def test_missing_pictures_and_tables_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels.csv' cannot be read"):
        csv_folder(tmp_path)
    write(tmp_path, TABLE, pictures=False)
    with pytest.raises(DataError, match=r"names 4 pictures that are not in .*beach/1.jpg"):
        csv_folder(tmp_path)
    write(tmp_path, "file,split,labels\n../../etc/1.png,train,dog\n", pictures=False)
    with pytest.raises(DataError, match="outside"):
        csv_folder(tmp_path)


@pytest.mark.parametrize("split", ["Training", "TRAIN", "train", "train_set"])
def test_usual_names_of_splits_are_known(tmp_path: Path, split: str) -> None:
    table = f"file,split,labels\n1.png,{split},dog\n2.png,Dev,dog\n3.png,Testing,dog\n"
    listing = csv_folder(write(tmp_path, table))
    assert list(listing.splits) == ["train", "validation", "test"]


@pytest.mark.parametrize(
    ("cells", "wrong"),
    [
        (("dog,sea", "dog | sea"), "2 labels look like several in one: 'dog | sea', 'dog,sea'"),
        (("dog,sea", "sea"), "1 labels look like several in one: 'dog,sea'"),
        (("Dog|sea", "dog;sky"), "1 labels look like several in one: 'Dog|sea'"),
        (("dog/sea", "sea;dog"), "1 labels look like several in one: 'dog/sea'"),
    ],
)
def test_labels_that_are_parted_otherwise_are_refused(
    tmp_path: Path, cells: tuple[str, str], wrong: str
) -> None:
    table = f'file,split,labels\n1.png,train,"{cells[0]}"\n2.png,test,"{cells[1]}"\n'
    (fault,) = csv_folder(write(tmp_path, table)).faults
    assert fault == f"{wrong}; labels are parted by semicolons, such as 'dog;sea'"


def test_a_comma_may_be_in_a_name(tmp_path: Path) -> None:
    table = 'file,split,labels\n1.png,train,"maillot, tank suit;F/A-18"\n2.png,test,dog\n'
    listing = csv_folder(write(tmp_path, table))
    assert listing.faults == ()
    assert listing.warnings == (
        "1 labels hold ',' or '|' and are one class each: 'maillot, tank suit'; "
        "labels are parted by semicolons",
    )


def test_rows_that_name_no_picture_are_passed_over_and_counted(tmp_path: Path) -> None:
    table = "\n".join(
        [
            "file,split,labels",
            *("1.png,train,dog", "._1.png,train,dog", "2.png,test,dog", "3.heic,train,dog"),
            *("beach/4.MOV,train,wave", ".git/5.png,test,dog"),
        ]
    )
    listing = csv_folder(write(tmp_path, table))
    assert {split: len(pictures) for split, pictures in listing.splits.items()} == {
        "train": 1,
        "test": 1,
    }
    assert listing.warnings == (
        f"'{tmp_path}/labels.csv' names 2 hidden or system files: ._1.png, .git/5.png",
        f"'{tmp_path}/labels.csv' names 2 files not read here: .heic 1 (convert with "
        "pillow-heif), .mov 1 (convert with ffmpeg, frame by frame)",
    )
    assert listing.faults == (f"'{tmp_path}/labels.csv' has no picture that can be read of wave",)
