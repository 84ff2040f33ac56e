"""PACS, OfficeHome, VLCS, TerraIncognita, DomainNet: folders of domains, of classes, of pictures.

pacs/{art_painting,cartoon,photo,sketch}/<class>
officehome/{art,clipart,product,realworld}/<class>
VLCS/{CALTECH,LABELME,PASCAL,SUN}/full/<0 ... 4, or the class>
terra_incognita/location_{38,43,46,100}/<class>
domainnet/{clipart,infograph,painting,quickdraw,real,sketch}/<class>

That is FedMVP's layout; folders may also be called as DomainBed and the data sets' authors call
them, in any case. FedMVP's split files (split_*.json beside a domain's pictures, in CoOp's form)
are used where they are, though they were never published; so are DomainNet's official lists
(<domain>_{train,test}.txt), of whose training part 10 % of every class is validation. Else every
class of every domain is split 70 / 10 / 20 %, seeded.

Labels are those of the split files or lists, or else positions in the class names sorted without
regard to case, which is DomainNet's official order. Domains are called as FedMVP calls them, in
words: "art painting", "real world", "L38".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fedmvp_core.data.listing import Listing, Reader
from fedmvp_core.data.readers.assemble import Part, check_distinct, clean_name, make_listing
from fedmvp_core.data.readers.domain_files import DomainFiles, read_domain
from fedmvp_core.data.readers.folders import first_few, require_folder, subfolders
from fedmvp_core.data.readers.splits import Entry
from fedmvp_core.errors import DataError


@dataclass(frozen=True)
class DomainSet:
    """domains: a domain's name -> what its folder may be called. renamed: class folder -> name."""

    name: str
    domains: Mapping[str, tuple[str, ...]]
    renamed: Mapping[str, str] = field(default_factory=dict)


PACS = DomainSet(
    "pacs",
    {
        "art painting": ("art_painting", "art"),
        "cartoon": ("cartoon",),
        "photo": ("photo",),
        "sketch": ("sketch",),
    },
)
OFFICEHOME = DomainSet(
    "officehome",
    {
        "art": ("art",),
        "clipart": ("clipart",),
        "product": ("product",),
        "real world": ("realworld", "real"),
    },
)
VLCS = DomainSet(
    "vlcs",
    {
        "caltech": ("CALTECH", "Caltech101"),
        "labelme": ("LABELME",),
        "pascal": ("PASCAL", "VOC2007"),
        "sun": ("SUN", "SUN09"),
    },
    {"0": "bird", "1": "car", "2": "chair", "3": "dog", "4": "person"},
)
TERRAINCOGNITA = DomainSet(
    "terraincognita",
    {f"L{number}": (f"location_{number}", f"L{number}") for number in (38, 43, 46, 100)},
)
DOMAINNET = DomainSet(
    "domainnet",
    {
        domain: (domain,)
        for domain in ("clipart", "infograph", "painting", "quickdraw", "real", "sketch")
    },
)


def read_domain_set(described: DomainSet, folder: Path) -> Listing:
    """The data set below `folder`, every domain of it.

    Raises:
        DataError: a domain's folder is missing or empty, a class has no picture in any domain, or
            split files of domains contradict each other.
    """
    require_folder(folder, described.name)
    found: dict[str, list[str]] = {}
    for name in subfolders(folder):
        found.setdefault(_plain(name), []).append(name)
    domains = []
    for domain, spellings in described.domains.items():
        there = next((found[_plain(name)] for name in spellings if _plain(name) in found), [])
        if not there:
            raise DataError(
                f"{described.name}: '{folder}' has no folder for the domain '{domain}'; allowed: "
                f"{' or '.join(spellings)}"
            )
        if len(there) > 1:
            raise DataError(
                f"{described.name}: '{folder}' has several folders for the domain '{domain}': "
                f"{first_few(there)}; allowed: one"
            )
        domains.append(read_domain(described.name, domain, folder / there[0], described.renamed))
    class_names = _class_names(described.name, domains)
    parts = [_relabelled(files, class_names) for files in domains]
    return make_listing(described.name, class_names, parts, _notes(domains))


def _plain(folder_name: str) -> str:
    return "".join(filter(str.isalnum, folder_name.casefold()))


def _relabelled(files: DomainFiles, class_names: Sequence[str]) -> Part:
    position = {class_name: label for label, class_name in enumerate(class_names)}
    label_of = {own: position[clean_name(written)] for own, written in files.names.items()}
    splits = {
        split: [Entry(file, label_of[own]) for file, own in entries]
        for split, entries in files.splits.items()
    }
    return Part(files.folder, splits, files.domain)


def _class_names(name: str, domains: Sequence[DomainFiles]) -> list[str]:
    """In the order of the labels in the domains' files, or by the alphabet without those."""
    for files in domains:
        check_distinct(name, files.names.values())
    class_names = {clean_name(written) for files in domains for written in files.names.values()}
    given: dict[str, int] = {}
    for files in domains:
        for label, written in files.names.items() if files.numbered else ():
            if given.setdefault(clean_name(written), label) != label:
                raise DataError(
                    f"{name}: class '{written}' has the label {label} in the domain "
                    f"'{files.domain}', but {given[clean_name(written)]} in another"
                )
    if class_names != given.keys():  # some domain without files has classes that the others lack
        return sorted(class_names, key=lambda class_name: (class_name.casefold(), class_name))
    in_order = sorted(given, key=given.__getitem__)
    for expected, class_name in enumerate(in_order):
        if given[class_name] != expected:
            raise DataError(
                f"{name}: class '{class_name}' has the label {given[class_name]}, but no class "
                f"or another one too has the label {expected}; allowed: 0 to {len(given) - 1}"
            )
    return in_order


def _notes(domains: Sequence[DomainFiles]) -> list[str]:
    distinct = sorted({files.note for files in domains})
    if len(distinct) == 1:
        return [f"every domain: {distinct[0]}"]
    return [f"{files.domain}: {files.note}" for files in domains]


pacs: Reader = partial(read_domain_set, PACS)
officehome: Reader = partial(read_domain_set, OFFICEHOME)
vlcs: Reader = partial(read_domain_set, VLCS)
terraincognita: Reader = partial(read_domain_set, TERRAINCOGNITA)
domainnet: Reader = partial(read_domain_set, DOMAINNET)
