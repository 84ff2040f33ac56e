"""The one table of readers: every published data set, by its name."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from fedmvp_core.data.listing import Reader, ReaderEntry
from fedmvp_core.data.readers import class_folder_sets, domain_sets, imagenet
from fedmvp_core.data.readers.fgvc_aircraft import fgvc_aircraft
from fedmvp_core.data.readers.multilabel.coco2014 import coco2014
from fedmvp_core.data.readers.multilabel.mlrsnet import mlrsnet
from fedmvp_core.data.readers.multilabel.multiscene import multiscene
from fedmvp_core.data.readers.multilabel.nuswide import nuswide
from fedmvp_core.data.readers.multilabel.voc2007 import voc2007
from fedmvp_core.data.readers.oxford_flowers import oxford_flowers
from fedmvp_core.data.readers.oxford_pets import oxford_pets
from fedmvp_core.data.readers.stanford_cars import stanford_cars
from fedmvp_core.data.readers.sun397 import sun397
from fedmvp_core.data.readers.ucf101 import ucf101


def _coop(
    name: str, reader: Reader, folder: str, classes: int, train: int, validation: int, test: int
) -> ReaderEntry:
    counts = {"train": train, "validation": validation, "test": test}
    return ReaderEntry(name, reader, folder, classes, MappingProxyType(counts))


def _tested(name: str, reader: Reader, folder: str, classes: int, test: int) -> ReaderEntry:
    return ReaderEntry(name, reader, folder, classes, MappingProxyType({"test": test}))


def _domains(
    described: domain_sets.DomainSet, reader: Reader, folder: str, classes: int
) -> ReaderEntry:
    return ReaderEntry(described.name, reader, folder, classes, domains=tuple(described.domains))


def _several_labels(
    name: str, reader: Reader, folder: str, classes: int, **counts: int
) -> ReaderEntry:
    return ReaderEntry(name, reader, folder, classes, MappingProxyType(counts), multi_label=True)


_ENTRIES = (
    _coop("caltech101", class_folder_sets.caltech101, "caltech-101", 100, 4128, 1649, 2465),
    _coop("oxford_pets", oxford_pets, "oxford_pets", 37, 2944, 736, 3669),
    _coop("stanford_cars", stanford_cars, "stanford_cars", 196, 6509, 1635, 8041),
    _coop("oxford_flowers", oxford_flowers, "oxford_flowers", 102, 4093, 1633, 2463),
    _coop("food101", class_folder_sets.food101, "food-101", 101, 50500, 20200, 30300),
    _coop("fgvc_aircraft", fgvc_aircraft, "fgvc_aircraft", 100, 3334, 3333, 3333),
    _coop("sun397", sun397, "sun397", 397, 15880, 3970, 19850),
    _coop("dtd", class_folder_sets.dtd, "dtd", 47, 2820, 1128, 1692),
    _coop("eurosat", class_folder_sets.eurosat, "eurosat", 10, 13500, 5400, 8100),
    _coop("ucf101", ucf101, "ucf101", 101, 7639, 1898, 3783),
    ReaderEntry(
        "imagenet",
        imagenet.imagenet,
        "imagenet",
        1000,
        MappingProxyType({"train": 1281167, "test": 50000}),
    ),
    _tested("imagenetv2", imagenet.imagenetv2, "imagenetv2", 1000, 10000),
    _tested("imagenet_sketch", imagenet.imagenet_sketch, "imagenet-sketch", 1000, 50889),
    _tested("imagenet_a", imagenet.imagenet_a, "imagenet-adversarial", 200, 7500),
    _tested("imagenet_r", imagenet.imagenet_r, "imagenet-rendition", 200, 30000),
    _domains(domain_sets.PACS, domain_sets.pacs, "pacs", 7),
    _domains(domain_sets.OFFICEHOME, domain_sets.officehome, "officehome", 65),
    _domains(domain_sets.VLCS, domain_sets.vlcs, "VLCS", 5),
    _domains(domain_sets.TERRAINCOGNITA, domain_sets.terraincognita, "terra_incognita", 10),
    _domains(domain_sets.DOMAINNET, domain_sets.domainnet, "domainnet", 345),
    _several_labels("voc2007", voc2007, "VOC2007", 20, train=5011, test=4952),
    # The smallest numbers of labels are those of OpenFedML's protocol.
    _several_labels("coco2014", partial(coco2014, min_labels=5), "coco", 80),
    _several_labels("nuswide", partial(nuswide, min_labels=5), "NUSWIDE", 81),
    _several_labels("multiscene", multiscene, "MultiScene-Clean", 36, train=7000, test=7000),
    _several_labels("mlrsnet", partial(mlrsnet, min_labels=7), "MLRSNet", 60),
)

READERS: Mapping[str, ReaderEntry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})
