"""Readers of the data sets that CoOp and FedMVP publish numbers on, in their folder layouts.

A data set is found by the name of CoOp's configuration file or FedMVP's attribute file. No reader
opens a picture.

caltech101, dtd, eurosat, food101        class_folder_sets.py
oxford_pets ... fgvc_aircraft            a file each
imagenet and its four test sets          imagenet.py
pacs ... domainnet                       domain_sets.py
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from fedmvp_core.data.listing import Reader
from fedmvp_core.data.readers import class_folder_sets, domain_sets, imagenet
from fedmvp_core.data.readers.fgvc_aircraft import fgvc_aircraft
from fedmvp_core.data.readers.oxford_flowers import oxford_flowers
from fedmvp_core.data.readers.oxford_pets import oxford_pets
from fedmvp_core.data.readers.stanford_cars import stanford_cars
from fedmvp_core.data.readers.sun397 import sun397
from fedmvp_core.data.readers.templates import attribute_stems_of, template_of
from fedmvp_core.data.readers.ucf101 import ucf101


@dataclass(frozen=True)
class ReaderEntry:
    """A data set, where it is, and what a complete copy of it holds.

    folder: below the data root, in CoOp's and FedMVP's layouts. expected_counts: pictures of the
    splits whose sizes are published. domains: () where there are none.
    """

    name: str
    reader: Reader
    folder: str
    expected_classes: int
    expected_counts: Mapping[str, int] = field(default_factory=dict)
    domains: tuple[str, ...] = ()

    @property
    def template(self) -> str:
        """Zero-shot CLIP's sentence, with {class}."""
        return template_of(self.name)

    @property
    def attribute_stems(self) -> Mapping[str, str]:
        """Domain ("" without any) -> what stands before ", which has <attribute>", with {class}."""
        return attribute_stems_of(self.name)


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
)

READERS: Mapping[str, ReaderEntry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})
