"""What a configuration says, made of a data set or images that a test has at hand."""

from torch import Tensor

from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.partitions import partition
from fedmvp_core.data.plugins import load_dataset, with_options
from fedmvp_core.data.settings import Setting, SettingRule
from fedmvp_core.registry import SETTINGS


def dataset_of(config: RunConfig, image_size: int) -> Dataset:
    """The configured data set."""
    return load_dataset(config.data, config.run, image_size)


def setting_of(dataset: Dataset, config: RunConfig) -> Setting:
    """The configured setting of this data set, with its options."""
    rule: SettingRule = with_options(SETTINGS, config.data.setting, config.data.setting_options)
    return rule(dataset, config.data, config.run)


def parted(images: ImageSet, clients: int, config: RunConfig) -> list[Tensor]:
    """The positions of each client's images under the configured partition."""
    return partition(images, clients, config.data, config.run.seed)
