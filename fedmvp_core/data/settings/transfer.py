"""cross-dataset: train on one data set, test on others."""

import dataclasses
from dataclasses import dataclass

from fedmvp_core.attributes.chosen import attributes_of
from fedmvp_core.attributes.files import Attributes
from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.config.options import option
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.plugins import load_dataset
from fedmvp_core.data.settings.parts import evaluation, task_maker, tested
from fedmvp_core.data.settings.setting import Setting
from fedmvp_core.data.settings.summaries import mean_over_targets
from fedmvp_core.errors import ConfigError
from fedmvp_core.registry import DATASETS, names_in


@dataclass(frozen=True)
class CrossDatasetOptions:
    """Of `cross_dataset`."""

    target_datasets: str = option("", "the data sets that are tested on, with commas between them")


def cross_dataset(
    dataset: Dataset, data: DataSection, run: RunSection, options: CrossDatasetOptions
) -> Setting:
    """Train on all classes of `dataset`; test on it and on each of `target-datasets`.

    Each target is read as a run on it would read it, from the same data-dir and with the defaults
    of its own options. It is tested on all of its classes, as a split of its name. The headline is
    the mean over the targets (CoCoOp, section 4.2).

    Raises:
        ConfigError: target-datasets names nothing, the source, or what is not installed; or the
            images of a target have several labels and those of the source one, or the other way.
        DataError: a target cannot be read.
    """
    names = target_names(data.dataset, options.target_datasets)
    of_target = {
        name: dataclasses.replace(data, dataset=name, dataset_options="") for name in names
    }
    targets = {name: _load(dataset, own, run) for name, own in of_target.items()}
    described = {name: attributes_of(data, target) for name, target in targets.items()}
    own, several = attributes_of(data, dataset), dataset.train.multi_label
    task = task_maker(own, data, several)(dataset.class_names)
    evaluations = [evaluation("source", tested(dataset, data), task, dataset)]
    for name, target in targets.items():
        task = task_maker(described[name], of_target[name], several)(target.class_names)
        evaluations.append(evaluation(name, tested(target, data), task, target))
    return Setting(
        train=dataset.train,
        validation=dataset.validation,
        evaluations=tuple(evaluations),
        local={},
        summary=mean_over_targets(tuple(targets)),
        make_task=task_maker(_together([*described.values(), own]), data, several),
        warnings=tuple(f"{t.name}: {said}" for t in targets.values() for said in t.warnings),
    )


def target_names(source: str, text: str) -> tuple[str, ...]:
    """The names in target-datasets, checked. source: the data set that is trained on.

    Raises:
        ConfigError: see cross_dataset.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    others = [name for name in names_in(DATASETS) if name != source]
    for name in names or ("",):
        if name not in others or names.count(name) > 1:
            raise ConfigError(
                f"target-datasets is '{text}'; allowed: different names, with "
                f"commas between them, out of {', '.join(others)}"
            )
    return names


def _load(source: Dataset, data: DataSection, run: RunSection) -> Dataset:
    """A target at the image size of the source. data: names the target."""
    target = load_dataset(data, run, source.train.image_size)
    if target.train.multi_label != source.train.multi_label:
        kind = "several labels" if target.train.multi_label else "one label"
        raise ConfigError(
            f"target-datasets names '{data.dataset}', whose images have {kind}, but those of "
            f"{source.name} have not; allowed: data sets of the same kind"
        )
    return target


def _together(all_attributes: list[Attributes | None]) -> Attributes | None:
    """The phrases of every data set; where classes share a name, those of the last data set.

    None when a data set has no phrases: its classes would be refused beside those that have.
    """
    together: dict[str, tuple[str, ...]] = {}
    for attributes in all_attributes:
        if attributes is None:
            return None
        together |= {name: tuple(phrases) for name, phrases in attributes.items()}
    return together
