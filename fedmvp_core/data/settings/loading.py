"""The configured setting of the configured data set, or of several."""

import dataclasses

from fedmvp_core.config import DataSection, RunConfig, RunSection, dataset_names
from fedmvp_core.data.catalogue import check_data_dir
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.plugins import load_dataset, with_options
from fedmvp_core.data.settings.joint import joint_setting
from fedmvp_core.data.settings.setting import Setting, SettingRule
from fedmvp_core.data.shots import draw_coop_shots
from fedmvp_core.errors import ConfigError
from fedmvp_core.registry import SETTINGS


def load_setting(config: RunConfig, image_size: int) -> Setting:
    """Load the configured data set and cut it as the configured setting says.

    Several data sets are cut one by one and put together, see settings.joint.

    Raises:
        ConfigError: data-dir is empty but needed; or the setting cannot be made of the data set.
        DataError: the data cannot be read, or a split has no images.
    """
    data, run = config.data, config.run
    check_data_dir(data)
    names = dataset_names(data)
    if len(names) == 1:
        return _of_one(data, run, image_size)
    parts = {name: dataclasses.replace(data, dataset=name) for name in names}
    return joint_setting({name: _of_one(part, run, image_size) for name, part in parts.items()})


def _of_one(data: DataSection, run: RunSection, image_size: int) -> Setting:
    dataset = load_dataset(data, run, image_size)
    _check_labels(dataset, data)
    if data.shot_sampling == "coop":
        dataset = draw_coop_shots(dataset, data.shots, run.seed)
    rule: SettingRule = with_options(SETTINGS, data.setting, data.setting_options)
    setting = rule(dataset, data, run)
    said = (f"{dataset.name}: {warning}" for warning in dataset.warnings)
    return dataclasses.replace(setting, warnings=(*said, *setting.warnings))


def _check_labels(dataset: Dataset, data: DataSection) -> None:
    """Keys that are for one kind of labels alone."""
    if dataset.train.multi_label and data.shots:
        raise ConfigError(
            f"shots is {data.shots}, but the images of {dataset.name} have several labels; "
            "allowed: 0 (mask-rate hides some of their labels instead)"
        )
    if data.mask_rate and not dataset.train.multi_label:
        raise ConfigError(
            f"mask-rate is {data.mask_rate:g}, but the images of {dataset.name} have one label "
            "each; allowed: 0 (shots leaves some of the images out instead)"
        )
