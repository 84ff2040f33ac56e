"""Caltech-101, DTD, EuroSAT, Food-101: a folder for each class, and CoOp's split file.

caltech-101/{101_ObjectCategories,split_zhou_Caltech101.json}
dtd/{images,split_zhou_DescribableTextures.json}
eurosat/{2750,split_zhou_EuroSAT.json}
food-101/{images,split_zhou_Food101.json}

Labels are positions in the sorted folder names (capitals first), also where a class is renamed.
"""

from pathlib import Path

from fedmvp_core.data.listing import Listing
from fedmvp_core.data.readers.coop import from_class_folders, from_split_json

CALTECH_IGNORED = ("BACKGROUND_Google", "Faces_easy")
CALTECH_RENAMED = {
    "airplanes": "airplane",
    "Faces": "face",
    "Leopards": "leopard",
    "Motorbikes": "motorbike",
}
EUROSAT_RENAMED = {
    "AnnualCrop": "Annual Crop Land",
    "HerbaceousVegetation": "Herbaceous Vegetation Land",
    "Highway": "Highway or Road",
    "Industrial": "Industrial Buildings",
    "Pasture": "Pasture Land",
    "PermanentCrop": "Permanent Crop Land",
    "Residential": "Residential Buildings",
    "SeaLake": "Sea or Lake",
}


def caltech101(folder: Path) -> Listing:
    """100 kinds of objects (Fei-Fei et al. 2004), without background and the second faces."""
    pictures, split = folder / "101_ObjectCategories", "split_zhou_Caltech101.json"
    return from_split_json("caltech101", folder, pictures, split) or from_class_folders(
        "caltech101", pictures, split, CALTECH_IGNORED, CALTECH_RENAMED
    )


def dtd(folder: Path) -> Listing:
    """47 textures (Cimpoi et al. 2014)."""
    pictures, split = folder / "images", "split_zhou_DescribableTextures.json"
    return from_split_json("dtd", folder, pictures, split) or from_class_folders(
        "dtd", pictures, split
    )


def eurosat(folder: Path) -> Listing:
    """10 kinds of land use, from satellites (Helber et al. 2019)."""
    pictures, split = folder / "2750", "split_zhou_EuroSAT.json"
    return from_split_json("eurosat", folder, pictures, split) or from_class_folders(
        "eurosat", pictures, split, renamed=EUROSAT_RENAMED
    )


def food101(folder: Path) -> Listing:
    """101 dishes (Bossard et al. 2014). CoOp does not use the official lists in meta/."""
    pictures, split = folder / "images", "split_zhou_Food101.json"
    return from_split_json("food101", folder, pictures, split) or from_class_folders(
        "food101", pictures, split
    )
