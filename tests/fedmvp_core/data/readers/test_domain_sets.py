"""PACS, OfficeHome, VLCS, TerraIncognita, DomainNet."""

import json
import shutil
from pathlib import Path

import data_trees
import pytest
from listings import base_and_new, class_of, counts, every_picture

from fedmvp_core.data.listing import Listing
from fedmvp_core.data.readers.domain_sets import domainnet, officehome, pacs, terraincognita, vlcs
from fedmvp_core.errors import DataError


def by_domain(listing: Listing, split: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for picture in listing.splits[split]:
        found[picture.domain] = found.get(picture.domain, 0) + 1
    return found


def test_pacs(tmp_path: Path) -> None:
    data_trees.pacs(tmp_path)
    listing = pacs(tmp_path)
    domains = ("art painting", "cartoon", "photo", "sketch")
    assert base_and_new(listing) == (("dog", "elephant"), ("giraffe",))
    # Of 10, 10 and 5 pictures: 7 + 7 + round(3.5), 1 + 1 + round(0.5), and the rest.
    assert by_domain(listing, "train") == dict.fromkeys(domains, 18)
    assert by_domain(listing, "validation") == dict.fromkeys(domains, 2)
    assert by_domain(listing, "test") == dict.fromkeys(domains, 5)
    for picture in every_picture(listing):
        assert picture.path.parent.name == class_of(listing, picture)
        assert picture.path.parent.parent.name.replace("_", " ") == picture.domain
    assert len({p.path for p in every_picture(listing)}) == 100


def test_officehome(tmp_path: Path) -> None:
    data_trees.officehome(tmp_path)
    listing = officehome(tmp_path)
    assert base_and_new(listing) == (("Alarm Clock", "Table"), ("TV",))
    assert set(by_domain(listing, "train")) == {"art", "clipart", "product", "real world"}
    assert counts(listing) == {"train": 60, "validation": 4, "test": 16}


def test_folders_may_be_called_as_the_authors_call_them(tmp_path: Path) -> None:
    data_trees.officehome(tmp_path / "ours")
    for own, official in (("art", "Art"), ("clipart", "Clipart"), ("product", "Product")):
        shutil.copytree(tmp_path / "ours" / own, tmp_path / "theirs" / official)
    shutil.copytree(tmp_path / "ours" / "realworld", tmp_path / "theirs" / "Real World")
    ours, theirs = officehome(tmp_path / "ours"), officehome(tmp_path / "theirs")
    assert ours.class_names == theirs.class_names
    for split in ours.splits:  # the same pictures, wherever they lie
        assert [(p.path.name, p.labels, p.domain) for p in ours.splits[split]] == [
            (p.path.name, p.labels, p.domain) for p in theirs.splits[split]
        ]


def test_vlcs_takes_the_full_part_and_puts_numbers_into_words(tmp_path: Path) -> None:
    data_trees.vlcs(tmp_path)
    listing = vlcs(tmp_path)
    assert listing.class_names == ("bird", "car", "chair", "dog", "person")
    domains = ("caltech", "labelme", "pascal", "sun")
    assert by_domain(listing, "train") == dict.fromkeys(domains, 15)
    assert by_domain(listing, "test") == dict.fromkeys(domains, 5)
    for picture in every_picture(listing):
        assert picture.path.parts[-3:-1] == ("full", str(picture.labels[0]))


def test_vlcs_as_domainbed_has_it(tmp_path: Path) -> None:
    for domain in ("Caltech101", "LabelMe", "SUN09", "VOC2007"):
        words = ("bird", "car", "chair", "dog", "person")
        data_trees.write_classes(tmp_path / domain, dict.fromkeys(words, 4))
    listing = vlcs(tmp_path)
    assert counts(listing) == {"train": 60, "test": 20}
    assert {p.domain for p in listing.splits["test"]} == {"caltech", "labelme", "pascal", "sun"}


def test_terraincognita(tmp_path: Path) -> None:
    data_trees.terraincognita(tmp_path)
    listing = terraincognita(tmp_path)
    assert by_domain(listing, "test") == {"L38": 4, "L43": 4, "L46": 4, "L100": 4}
    assert {(p.domain, p.path.parent.parent.name) for p in every_picture(listing)} == {
        (f"L{number}", f"location_{number}") for number in (38, 43, 46, 100)
    }


def test_a_class_that_a_domain_lacks_is_noted(tmp_path: Path) -> None:
    data_trees.terraincognita(tmp_path)
    data_trees.write_classes(tmp_path / "location_46", {"squirrel": 5})
    shutil.rmtree(tmp_path / "location_100" / "empty")
    (tmp_path / "location_100" / "empty").mkdir()
    listing = terraincognita(tmp_path)
    assert listing.class_names == ("bird", "empty", "squirrel")
    assert "domain 'L100' has no picture of empty, squirrel" in listing.notes
    assert "domain 'L38' has no picture of squirrel" in listing.notes


def test_a_class_without_pictures_anywhere_is_refused(tmp_path: Path) -> None:
    data_trees.terraincognita(tmp_path)
    (tmp_path / "location_38" / "coyote").mkdir()
    with pytest.raises(DataError, match="terraincognita has no picture of 1 classes: coyote"):
        terraincognita(tmp_path)


def test_domainnet_keeps_the_official_test_part(tmp_path: Path) -> None:
    data_trees.domainnet(tmp_path)
    listing = domainnet(tmp_path)
    assert listing.class_names == ("aircraft carrier", "The Eiffel Tower", "zebra")
    assert counts(listing) == {"train": 6 * 3 * 9, "validation": 6 * 3, "test": 6 * 3 * 3}
    assert {p.path.stem[-2:] for p in listing.splits["test"]} == {"11", "12", "13"}
    assert not {p.path.stem[-2:] for p in listing.splits["train"]} & {"11", "12", "13"}
    assert listing.notes[0].startswith("every domain: the official test part; 90 / 10 %")


def test_domainnet_lists_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    data_trees.domainnet(tmp_path)
    before = domainnet(tmp_path)
    (tmp_path / "splits").mkdir()
    for file in list(tmp_path.glob("*.txt")):
        file.rename(tmp_path / "splits" / file.name)
    assert domainnet(tmp_path) == before


def test_domainnet_without_lists_is_split_from_its_folders_in_the_same_label_order(
    tmp_path: Path,
) -> None:
    data_trees.domainnet(tmp_path)
    listed = domainnet(tmp_path)
    for file in tmp_path.glob("*.txt"):
        file.unlink()
    listing = domainnet(tmp_path)
    assert listing.class_names == listed.class_names
    # 13 pictures of a class: round(9.1), round(1.3), the rest.
    assert counts(listing) == {"train": 18 * 9, "validation": 18 * 1, "test": 18 * 3}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("clipart/zebra/clipart_001_000001.jpg 7", "class 'zebra' in .* has the labels 2 and 7"),
        ("real/zebra/real_005_000001.jpg 2", "allowed: 'clipart/class/picture label'"),
        ("clipart/zebra/absent.jpg 2", "names 1 pictures that are not in .*: zebra/absent.jpg"),
        ("clipart/giraffe/g.jpg 2", "label 2 in .* is both 'zebra' and 'giraffe'"),
    ],
)
def test_damaged_lists_are_refused(tmp_path: Path, line: str, message: str) -> None:
    data_trees.domainnet(tmp_path)
    with (tmp_path / "clipart_train.txt").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(DataError, match=message):
        domainnet(tmp_path)


def write_domain_split(folder: Path, file: str, labels: dict[str, int]) -> None:
    rows = {
        name: [
            (f"{name}/{picture.name}", label, name) for picture in sorted((folder / name).iterdir())
        ]
        for name, label in labels.items()
    }
    data_trees.write_split_json(
        folder / file,
        [row for of_class in rows.values() for row in of_class[:2]],
        [row for of_class in rows.values() for row in of_class[2:3]],
        [row for of_class in rows.values() for row in of_class[3:5]],
    )


PACS_FILES = {
    "art_painting": "split_pacs_artpainting.json",
    "cartoon": "split_pacs_cartoon.json",
    "photo": "split_pacs_photo.json",
    "sketch": "split_pacs_sketch.json",
}


def test_split_files_of_the_domains_give_splits_and_labels(tmp_path: Path) -> None:
    data_trees.pacs(tmp_path)
    for folder, file in PACS_FILES.items():
        write_domain_split(tmp_path / folder, file, {"giraffe": 0, "elephant": 1, "dog": 2})
    listing = pacs(tmp_path)
    assert listing.class_names == ("giraffe", "elephant", "dog")
    assert counts(listing) == {"train": 24, "validation": 12, "test": 24}
    assert all(p.path.parent.name == class_of(listing, p) for p in every_picture(listing))
    assert listing.notes[0] == "art painting: split by split_pacs_artpainting.json"


def test_a_split_file_of_one_domain_goes_with_folders_of_the_others(tmp_path: Path) -> None:
    data_trees.pacs(tmp_path)
    labels = {"giraffe": 0, "elephant": 1, "dog": 2}
    write_domain_split(tmp_path / "photo", "split_pacs_photo.json", labels)
    listing = pacs(tmp_path)
    assert listing.class_names == ("giraffe", "elephant", "dog")
    assert by_domain(listing, "train") == {
        "art painting": 18,
        "cartoon": 18,
        "photo": 6,
        "sketch": 18,
    }
    assert all(p.path.parent.name == class_of(listing, p) for p in every_picture(listing))


def test_vlcs_split_files_lie_above_the_full_part(tmp_path: Path) -> None:
    data_trees.vlcs(tmp_path)
    for domain in ("CALTECH", "LABELME", "PASCAL", "SUN"):
        rows = [
            (f"{label}/imgs_1.jpg", label, name)
            for label, name in enumerate(("bird", "car", "chair", "dog", "person"))
        ]
        file = tmp_path / domain / f"split_VLCS_{domain}.json"
        data_trees.write_split_json(file, rows, [], [(f"4/imgs_{2}.jpg", 4, "person")])
    listing = vlcs(tmp_path)
    assert counts(listing) == {"train": 20, "test": 4}
    assert listing.splits["test"][0].path == tmp_path / "CALTECH" / "full" / "4" / "imgs_2.jpg"


def test_domains_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    data_trees.pacs(tmp_path)
    labels = {"giraffe": 0, "elephant": 1, "dog": 2}
    write_domain_split(tmp_path / "photo", "split_pacs_photo.json", labels)
    write_domain_split(
        tmp_path / "sketch", "split_pacs_sketch.json", {"dog": 0, "elephant": 1, "giraffe": 2}
    )
    with pytest.raises(
        DataError, match="class 'dog' has the label 0 in the domain 'sketch', but 2 in another"
    ):
        pacs(tmp_path)


def test_labels_of_the_domains_must_be_a_numbering(tmp_path: Path) -> None:
    data_trees.pacs(tmp_path)
    for folder, file in PACS_FILES.items():
        write_domain_split(tmp_path / folder, file, {"giraffe": 0, "elephant": 1, "dog": 3})
    with pytest.raises(DataError, match=r"'dog' has the label 3.*allowed: 0 to 2"):
        pacs(tmp_path)


def test_missing_and_doubtful_folders_are_refused(tmp_path: Path) -> None:
    data_trees.pacs(tmp_path)
    (tmp_path / "photo" / "split_a.json").write_text(json.dumps({}))
    (tmp_path / "photo" / "split_b.json").write_text(json.dumps({}))
    with pytest.raises(DataError, match=r"has 2 split files: split_a.json, split_b.json"):
        pacs(tmp_path)
    shutil.rmtree(tmp_path / "photo")
    with pytest.raises(DataError, match="no folder for the domain 'photo'; allowed: photo"):
        pacs(tmp_path)
    (tmp_path / "photo").mkdir()
    with pytest.raises(DataError, match=r"photo' holds no class folders with pictures"):
        pacs(tmp_path)
    with pytest.raises(DataError, match=r"pacs: '.*absent' is not a folder"):
        pacs(tmp_path / "absent")


def test_two_folders_of_a_domain_with_the_same_name_in_words_are_refused(tmp_path: Path) -> None:
    data_trees.officehome(tmp_path)
    data_trees.write_classes(tmp_path / "art", {"Alarm Clock": 2})
    with pytest.raises(DataError, match="'Alarm Clock' and 'Alarm_Clock'"):
        officehome(tmp_path)


def test_two_folders_of_one_domain_are_refused(tmp_path: Path) -> None:
    data_trees.pacs(tmp_path)
    data_trees.write_classes(tmp_path / "Art-Painting", {"dog": 2})
    message = "has several folders for the domain 'art painting': Art-Painting, art_painting; allow"
    with pytest.raises(DataError, match=message):
        pacs(tmp_path)


def test_linked_domains_and_classes_are_read(tmp_path: Path) -> None:
    data_trees.pacs(tmp_path / "disk")
    (tmp_path / "pacs").mkdir()
    for domain in (tmp_path / "disk").iterdir():
        (tmp_path / "pacs" / domain.name).symlink_to(domain)
    assert counts(pacs(tmp_path / "pacs")) == counts(pacs(tmp_path / "disk"))
