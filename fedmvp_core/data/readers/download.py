"""Downloads of the data sets that torchvision can fetch, put into CoOp's layout.

The downloads themselves are torchvision's and are not tested here; what is tested, on small copies
of the folders that torchvision makes, is that our readers can read what is left behind.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.data.readers.table import READERS
from fedmvp_core.errors import DataError


@dataclass(frozen=True)
class Download:
    """torchvision's class, the folder that it makes, and what is wanted of it: pictures first."""

    torchvision_class: str
    made: str
    wanted: tuple[str, ...]


AIRCRAFT_FILES = (
    "variants.txt",
    "images_variant_train.txt",
    "images_variant_val.txt",
    "images_variant_test.txt",
)
DOWNLOADS = {
    "caltech101": Download("Caltech101", "caltech101", ("101_ObjectCategories",)),
    "oxford_pets": Download("OxfordIIITPet", "oxford-iiit-pet", ("images", "annotations")),
    "oxford_flowers": Download("Flowers102", "flowers-102", ("jpg", "imagelabels.mat")),
    "food101": Download("Food101", "food-101", ("images",)),
    "fgvc_aircraft": Download(
        "FGVCAircraft", "fgvc-aircraft-2013b/data", ("images", *AIRCRAFT_FILES)
    ),
    "sun397": Download("SUN397", ".", ("SUN397",)),
    "dtd": Download("DTD", "dtd/dtd", ("images",)),
    "eurosat": Download("EuroSAT", "eurosat", ("2750",)),
}
COOP_PAGE = "from the links in CoOp's DATASETS.md"
BY_HAND = {
    "stanford_cars": f"cars_train, cars_test, devkit and split_zhou_StanfordCars.json {COOP_PAGE}",
    "ucf101": f"UCF-101-midframes and split_zhou_UCF101.json {COOP_PAGE}",
    "imagenet": f"train and val from image-net.org and classnames.txt {COOP_PAGE}",
    "imagenetv2": f"imagenetv2-matched-frequency-format-val and classnames.txt {COOP_PAGE}",
    "imagenet_sketch": f"images and classnames.txt {COOP_PAGE}",
    "imagenet_a": f"imagenet-a and classnames.txt {COOP_PAGE}",
    "imagenet_r": f"imagenet-r and classnames.txt {COOP_PAGE}",
    "voc2007": "VOCtrainval2007 and VOCtest2007, unpacked",
    "coco2014": "train2014, val2014 and annotations/instances_{train,val}2014.json",
    "nuswide": "raw/Flickr, raw/ImageList, raw/TrainTestLabels and raw/Concepts81.txt",
    "multiscene": "images, Tra.csv and Test.csv",
    "mlrsnet": "Images and Labels",
}


def prepare(name: str, root: Path) -> Path:
    """Fetch a data set into `root`, unless its pictures are there, and read it once as a check.

    What was downloaded before a failure stays in root/.download and is used the next time.
    torchvision brings no split of CoOp's: put split_zhou_*.json beside the pictures to compare
    numbers with published ones. For sun397 that file, or the official partitions, is needed.

    Returns: the data set's folder.
    Raises:
        DataError: the data set is unknown, cannot be downloaded (what to fetch by hand), the
            download failed, or what was downloaded needs more files.
    """
    if name not in READERS:
        raise DataError(f"no data set is called '{name}'; known: {', '.join(READERS)}")
    folder = root / READERS[name].folder
    if name not in DOWNLOADS:
        domains = ", ".join(READERS[name].domains)
        what = BY_HAND.get(name, f"the domains {domains} from the page of its authors")
        raise DataError(f"{name} cannot be downloaded from here; put into '{folder}': {what}")
    if not (folder / DOWNLOADS[name].wanted[0]).exists():
        _download(DOWNLOADS[name], root / ".download" / name, folder)
    READERS[name].reader(folder)
    return folder


def _download(download: Download, scratch: Path, folder: Path) -> None:
    from torchvision import datasets  # slow to import, and needed here only

    scratch.mkdir(parents=True, exist_ok=True)
    try:
        getattr(datasets, download.torchvision_class)(str(scratch), download=True)
    except (OSError, RuntimeError, ImportError, ValueError) as error:
        raise DataError(
            f"torchvision could not download {download.torchvision_class} to '{scratch}': {error}"
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    for item in reversed(download.wanted):  # pictures last: they tell that all is there
        downloaded = scratch / download.made / item
        if (folder / item).exists():
            continue
        if not downloaded.exists():
            raise DataError(
                f"torchvision's {download.torchvision_class} did not make '{downloaded}'; "
                f"move '{item}' into '{folder}' by hand"
            )
        shutil.move(downloaded, folder / item)
    shutil.rmtree(scratch)
