"""The configured setting of the configured data set, or of several."""

from fedmvp_core.config import RunConfig, dataset_names
from fedmvp_core.data.few_shot import coop_few_shot
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.settings.joint import joint_setting
from fedmvp_core.data.settings.setting import Setting, SettingRule
from fedmvp_core.errors import ConfigError
from fedmvp_core.registry import DATASETS, SETTINGS, find


def load_setting(config: RunConfig, image_size: int) -> Setting:
    """Load the configured data set and cut it as the configured setting says.

    Several data sets are cut one by one and put together, see settings.joint.

    Raises:
        ConfigError: the setting cannot be made of the data set.
        DataError: the data cannot be read, or a split has no images.
    """
    names = dataset_names(config)
    if len(names) == 1:
        return _of_one(config, image_size)
    return joint_setting({n: _of_one(config.with_values(dataset=n), image_size) for n in names})


def _of_one(config: RunConfig, image_size: int) -> Setting:
    dataset: Dataset = find(DATASETS, config.data.dataset)(config, image_size)
    _check_labels(dataset, config)
    if config.data.shot_sampling == "coop":
        dataset = coop_few_shot(dataset, config.data.shots, config.run.seed)
    rule: SettingRule = find(SETTINGS, config.data.setting)
    return rule(dataset, config)


def _check_labels(dataset: Dataset, config: RunConfig) -> None:
    """Keys that are for one kind of labels alone."""
    if dataset.train.multi_label and config.data.shots:
        raise ConfigError(
            f"shots is {config.data.shots}, but the images of {dataset.name} have several labels; "
            "allowed: 0 (mask-rate hides some of their labels instead)"
        )
    if config.data.mask_rate and not dataset.train.multi_label:
        raise ConfigError(
            f"mask-rate is {config.data.mask_rate:g}, but the images of {dataset.name} have one label "
            "each; allowed: 0 (shots leaves some of the images out instead)"
        )
