"""Small copies of the published data sets' folders: true names and file formats, few pictures.

Each writer fills the data set's own folder with what its authors publish. `write_split_json` adds
CoOp's split file.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path

import numpy as np
from scipy.io import savemat
from small_pictures import write_picture

_written: list[bytes] = []  # trees hold hundreds of pictures; a dozen different ones will do


def write_pictures(folder: Path, names: Iterable[str]) -> None:
    """Pictures of 8 x 8 pixels, JPEG whatever their suffix."""
    for number, name in enumerate(names):
        if number % 12 == len(_written):
            write_picture(folder / f"{name}.jpg", number, (8, 8))
            _written.append((folder / f"{name}.jpg").read_bytes())
            (folder / f"{name}.jpg").unlink()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(_written[number % 12])


def write_classes(
    folder: Path, pictures: Mapping[str, int], pattern: str = "image_{:04d}.jpg"
) -> Path:
    """folder/<class>/<pattern>, numbered from 1."""
    for class_folder, number in pictures.items():
        (folder / class_folder).mkdir(parents=True, exist_ok=True)
        write_pictures(folder / class_folder, (pattern.format(i + 1) for i in range(number)))
    return folder


def write_lines(file: Path, lines: Iterable[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


Row = tuple[str, int, str]


def write_split_json(
    file: Path, train: Sequence[Row], val: Sequence[Row], test: Sequence[Row]
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"train": train, "val": val, "test": test}
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def caltech101(folder: Path) -> None:
    objects = ("BACKGROUND_Google", "Faces", "Faces_easy", "Leopards", "accordion", "airplanes")
    write_classes(
        folder / "101_ObjectCategories", dict.fromkeys((*objects, "Motorbikes", "water_lilly"), 10)
    )


def dtd(folder: Path) -> None:
    for texture in ("banded", "blotchy", "polka-dotted"):
        write_classes(folder / "images", {texture: 10}, texture + "_{:04d}.jpg")
    (folder / "images" / ".directory").write_text("left by a desktop")
    write_lines(folder / "labels" / "train1.txt", ["banded/banded_0002.jpg"])


def eurosat(folder: Path) -> None:
    for land in (
        *("AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial"),
        *("Pasture", "PermanentCrop", "Residential", "River", "SeaLake"),
    ):
        write_classes(folder / "2750", {land: 10}, land + "_{}.jpg")


def food101(folder: Path) -> None:
    write_classes(folder / "images", dict.fromkeys(("apple_pie", "beef_tartare"), 10), "100{}.jpg")
    write_lines(folder / "meta" / "train.txt", ["apple_pie/1001"])


def oxford_pets(folder: Path) -> None:
    training: list[str] = []
    test: list[str] = []
    for label, breed in enumerate(("Abyssinian", "american_bulldog", "Russian_Blue"), 1):
        write_pictures(folder / "images", (f"{breed}_{i}.jpg" for i in range(8)))
        lines = [f"{breed}_{i} {label} {1 + (label == 2)} {label}" for i in range(8)]
        training += lines[:5]
        test += lines[5:]
    write_lines(folder / "annotations" / "trainval.txt", training)
    write_lines(folder / "annotations" / "test.txt", test)


CAR_FIELDS = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname")


def stanford_cars(folder: Path) -> None:
    cars = ("AM General Hummer SUV 2000", "Acura RL Sedan 2012", "Ram C/V Cargo Van Minivan 2012")
    names = np.array([cars], dtype=object)
    (folder / "devkit").mkdir(parents=True)
    savemat(folder / "devkit" / "cars_meta.mat", {"class_names": names})
    for file, pictures, each in (
        (folder / "devkit" / "cars_train_annos.mat", "cars_train", 5),
        (folder / "cars_test_annos_withlabels.mat", "cars_test", 2),
    ):
        records = np.empty((1, 3 * each), dtype=[(name, object) for name in CAR_FIELDS])
        for i in range(3 * each):
            write_pictures(folder / pictures, [f"{i + 1:05d}.jpg"])
            records[0, i] = (1, 2, 30, 40, i % 3 + 1, f"{i + 1:05d}.jpg")
        savemat(file, {"annotations": records})


def oxford_flowers(folder: Path) -> None:
    """Ten pictures of each of three flowers, in the archive's order, which is not by class."""
    write_pictures(folder / "jpg", (f"image_{i + 1:05d}.jpg" for i in range(30)))
    labels = np.array([[(2, 1, 3)[i % 3] for i in range(30)]], dtype=np.uint8)
    savemat(folder / "imagelabels.mat", {"labels": labels})
    names = {"2": "hard-leaved pocket orchid", "1": "pink primrose", "3": "canterbury bells"}
    (folder / "cat_to_name.json").write_text(json.dumps(names))


SCENES = ("/a/abbey", "/a/apartment_building/outdoor", "/b/bakery/shop")


def sun397(folder: Path) -> None:
    letters = "abcdefgh"
    for scene in SCENES:
        write_pictures(folder / "SUN397" / scene[1:], (f"sun_a{letter}.jpg" for letter in letters))
    write_lines(folder / "ClassName.txt", SCENES)
    for file, chosen in (("Training_01.txt", letters[:5]), ("Testing_01.txt", letters[5:])):
        write_lines(folder / file, (f"{scene}/sun_a{c}.jpg" for scene in SCENES for c in chosen))


def ucf101(folder: Path) -> None:
    actions = {"ApplyEyeMakeup": "Apply_Eye_Makeup", "TaiChi": "Tai_Chi", "YoYo": "Yo_Yo"}
    official = folder / "ucfTrainTestlist"
    write_lines(official / "classInd.txt", (f"{i} {name}" for i, name in enumerate(actions, 1)))
    train, test = [], []
    for label, (action, frames) in enumerate(actions.items(), 1):
        videos = [f"v_{action}_g{group:02d}_c01" for group in range(1, 9)]
        write_pictures(folder / "UCF-101-midframes" / frames, (f"{v}.jpg" for v in videos))
        test += [f"{action}/{video}.avi" for video in videos[:3]]
        train += [f"{action}/{video}.avi {label}" for video in videos[3:]]
    write_lines(official / "trainlist01.txt", train)
    write_lines(official / "testlist01.txt", test)


def fgvc_aircraft(folder: Path) -> None:
    variants = ("707-320", "727-200", "F/A-18")
    write_lines(folder / "variants.txt", variants)
    number = count(1025794)
    for split, each in (("train", 3), ("val", 2), ("test", 2)):
        rows = [(next(number), variant) for variant in variants for _ in range(each)]
        write_pictures(folder / "images", (f"{picture}.jpg" for picture, _ in rows))
        write_lines(
            folder / f"images_variant_{split}.txt", (f"{picture} {v}" for picture, v in rows)
        )


WNIDS = {
    "n01440764": "tench",
    "n01443537": "goldfish",
    "n01484850": "great white shark",
    "n04356056": "sunglasses",
}


def write_class_names(folder: Path, names: Mapping[str, str] = WNIDS) -> None:
    write_lines(folder / "classnames.txt", (f"{wnid} {name}" for wnid, name in names.items()))


def imagenet(folder: Path) -> None:
    write_class_names(folder)
    for wnid in WNIDS:
        write_classes(folder / "images" / "train", {wnid: 3}, wnid + "_{}.JPEG")
        write_classes(folder / "images" / "val", {wnid: 2}, "ILSVRC2012_val_{:08d}.JPEG")


def imagenetv2(folder: Path) -> None:
    write_class_names(folder)
    numbers = {str(label): 2 for label in range(len(WNIDS))}
    write_classes(folder / "imagenetv2-matched-frequency-format-val", numbers, "{}.jpeg")


def imagenet_sketch(folder: Path) -> None:
    write_class_names(folder)
    write_classes(folder / "images", dict.fromkeys(WNIDS, 2), "sketch_{}.JPEG")


def imagenet_a(folder: Path) -> None:
    """Two of the four classes, as ImageNet-A holds 200 of 1,000."""
    write_class_names(folder)
    write_classes(folder / "imagenet-a", {"n04356056": 2, "n01443537": 3}, "0.00_{}.jpg")
    (folder / "imagenet-a" / "README.txt").write_text("Natural adversarial examples")


def imagenet_r(folder: Path) -> None:
    write_class_names(folder)
    write_classes(folder / "imagenet-r", {"n01484850": 2, "n01443537": 3}, "art_{}.jpg")
    for name in ("README.txt", "class_to_idx.json", "dataset.h5"):
        (folder / "imagenet-r" / name).write_text("{}")


def pacs(folder: Path) -> None:
    for domain in ("art_painting", "cartoon", "photo", "sketch"):
        write_classes(folder / domain, {"dog": 10, "elephant": 10, "giraffe": 5}, "pic_{:03d}.jpg")


def officehome(folder: Path) -> None:
    for domain in ("art", "clipart", "product", "realworld"):
        write_classes(folder / domain, {"Alarm_Clock": 10, "TV": 5, "Table": 5}, "{:05d}.jpg")


def vlcs(folder: Path) -> None:
    for domain in ("CALTECH", "LABELME", "PASCAL", "SUN"):
        for part in ("full", "train", "test"):
            write_classes(folder / domain / part, dict.fromkeys("01234", 4), "imgs_{}.jpg")


def terraincognita(folder: Path) -> None:
    for number in (38, 43, 46, 100):
        write_classes(folder / f"location_{number}", {"bird": 10, "empty": 10}, "5868_{}.jpg")


def domainnet(folder: Path) -> None:
    """With the official lists, whose labels do not heed capitals."""
    labels = {"aircraft_carrier": 0, "The_Eiffel_Tower": 1, "zebra": 2}
    for d, domain in enumerate(
        ("clipart", "infograph", "painting", "quickdraw", "real", "sketch"), 1
    ):
        for split, numbers in (("train", range(1, 11)), ("test", range(11, 14))):
            rows = [
                (f"{domain}/{name}/{domain}_{d:03d}_{i:06d}.jpg", label)
                for name, label in labels.items()
                for i in numbers
            ]
            write_pictures(folder, (path for path, _ in rows))
            write_lines(folder / f"{domain}_{split}.txt", (f"{path} {n}" for path, n in rows))


TREES: Mapping[str, Callable[[Path], None]] = {
    writer.__name__: writer
    for writer in (
        *(caltech101, dtd, eurosat, food101, oxford_pets, stanford_cars, oxford_flowers, sun397),
        *(ucf101, fgvc_aircraft, imagenet, imagenetv2, imagenet_sketch, imagenet_a, imagenet_r),
        *(pacs, officehome, vlcs, terraincognita, domainnet),
    )
}
