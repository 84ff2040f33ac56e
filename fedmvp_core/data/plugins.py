"""The data sets, partitions and settings that a configuration names, with their own options."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.config.options import NoOptions, options_type, parse_options
from fedmvp_core.data.catalogue import check_data_dir
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.registry import DATASETS, find, kind_of

# The contract of a data set's loader; one with options has a parameter `options` too.
DatasetLoader: TypeAlias = Callable[[DataSection, RunSection, int], Dataset]


def with_options(group: str, name: str, text: str) -> Callable[..., Any]:
    """The plugin `name` of `group`, a function, with its parameter `options` already bound.

    text: the options as they are configured, such as "dirichlet-alpha=0.1". A plugin that declares
    no options is returned as it is.

    Raises:
        ConfigError: no such plugin is installed; or an option is unknown or out of range.
    """
    plugin: Callable[..., Any] = find(group, name)
    declared = options_type(plugin)
    options: Any = parse_options(f"{kind_of(group)} '{name}'", declared, text)
    return plugin if declared is NoOptions else partial(plugin, options=options)


def load_dataset(data: DataSection, run: RunSection, image_size: int) -> Dataset:
    """The configured data set, which is one. image_size: side in pixels.

    Raises:
        ConfigError: see `with_options` and `check_data_dir`.
        DataError: it cannot be read.
    """
    check_data_dir(data)
    load: DatasetLoader = with_options(DATASETS, data.dataset, data.dataset_options)
    return load(data, run, image_size)
