"""Readers of the multi-label data sets of OpenFedML's protocol, and of one's own pictures.

No reader opens a picture. The protocol's rules are in the registry, each reader's defaults take
everything: COCO and NUS-WIDE with five labels or more, MLRSNet with seven. `csv_folder` reads one's
own pictures (csv_folder.py) and has no entry, since nothing is known of them beforehand.
"""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from fedmvp_core.data.readers import ReaderEntry
from fedmvp_core.data.readers.multilabel.coco2014 import coco2014
from fedmvp_core.data.readers.multilabel.csv_folder import csv_folder
from fedmvp_core.data.readers.multilabel.mlrsnet import mlrsnet
from fedmvp_core.data.readers.multilabel.multiscene import multiscene
from fedmvp_core.data.readers.multilabel.nuswide import nuswide
from fedmvp_core.data.readers.multilabel.voc2007 import voc2007

__all__ = ["READERS", "csv_folder"]

_ENTRIES = (
    ReaderEntry("voc2007", voc2007, "VOC2007", 20, MappingProxyType({"train": 5011, "test": 4952})),
    ReaderEntry("coco2014", partial(coco2014, min_labels=5), "coco", 80),
    ReaderEntry("nuswide", partial(nuswide, min_labels=5), "NUSWIDE", 81),
    ReaderEntry(
        "multiscene",
        multiscene,
        "MultiScene-Clean",
        36,
        MappingProxyType({"train": 7000, "test": 7000}),
    ),
    ReaderEntry("mlrsnet", partial(mlrsnet, min_labels=7), "MLRSNet", 60),
)

READERS: Mapping[str, ReaderEntry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})
