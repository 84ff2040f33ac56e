"""Every reader of what others wrote, by a name: READERS."""

from collections.abc import Mapping

from simulations.benchmarks.fuzz.reader import Reader
from simulations.benchmarks.fuzz.readers.data_sets import DATA_SETS
from simulations.benchmarks.fuzz.readers.messages import MESSAGES
from simulations.benchmarks.fuzz.readers.models import MODELS
from simulations.benchmarks.fuzz.readers.pictures import PICTURES
from simulations.benchmarks.fuzz.readers.runs import RUNS

READERS: Mapping[str, Reader] = {**RUNS, **MODELS, **DATA_SETS, **PICTURES, **MESSAGES}
