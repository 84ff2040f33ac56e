"""One federation over several data sets: their settings, put together.

FedMVP's base-to-new table is of one federation over nine data sets, whose 30 clients each hold
classes of one of them.
"""

from collections.abc import Callable, Mapping, Sequence

import torch

from fedmvp_core.data.catalogue import by_dataset, qualified, unqualified
from fedmvp_core.data.image_set import ImageSet, JoinedPictures
from fedmvp_core.data.settings.setting import Evaluation, Setting
from fedmvp_core.data.settings.summaries import LOCAL, mean_over_datasets, of_dataset
from fedmvp_core.errors import DataError
from fedmvp_core.tasks import Task, Wording


def joint_setting(parts: Mapping[str, Setting]) -> Setting:
    """All training images together; the splits of each data set apart, as "base-<data set>", ...

    Classes have qualified names, and the sentences of their own data sets. The headlines are the
    mean of each split over the data sets, and the setting's own headlines of these means.

    parts: data set -> its setting, all by the same rule and of one label an image.
    """
    make_task = _task_maker(parts)
    first = next(iter(parts.values()))
    splits = [LOCAL, *(split.name for split in first.evaluations)]
    return Setting(
        train=_together({name: part.train for name, part in parts.items()}),
        validation=_together({name: part.validation for name, part in parts.items()}),
        evaluations=tuple(
            _evaluation(name, split, make_task)
            for of_each in zip(*(part.evaluations for part in parts.values()), strict=True)
            for name, split in zip(parts, of_each, strict=True)
        ),
        local={
            name: _qualified(name, images)
            for name, part in parts.items()
            for images in part.local.values()
        },
        summary=mean_over_datasets(splits, tuple(parts), first.summary),
        make_task=make_task,
        warnings=tuple(warning for part in parts.values() for warning in part.warnings),
    )


def _task_maker(parts: Mapping[str, Setting]) -> Callable[[Sequence[str]], Task]:
    def make_task(class_names: Sequence[str]) -> Task:
        """Qualified names -> a task with the phrases and sentences of each class's data set.

        Raises:
            DataError: a class is of none of the data sets.
        """
        found: dict[str, tuple[tuple[str, ...], Wording]] = {}
        for dataset, names in by_dataset(class_names).items():
            if dataset not in parts:
                raise DataError(f"class '{names[0]}' is of none of: {', '.join(parts)}")
            own = parts[dataset].make_task([unqualified(name)[1] for name in names])
            for label, name in enumerate(names):
                found[name] = own.attributes[label], own.wording(label)
        return Task(
            class_names=tuple(class_names),
            attributes=tuple(found[name][0] for name in class_names),
            template=own.template,
            attribute_template=own.attribute_template,
            attribute_weight=own.attribute_weight,
            wordings=tuple(found[name][1] for name in class_names),
        )

    return make_task


def _evaluation(
    dataset: str, split: Evaluation, make_task: Callable[[Sequence[str]], Task]
) -> Evaluation:
    images = _qualified(dataset, split.images)
    task = make_task(images.class_names)
    return Evaluation(of_dataset(split.name, dataset), images, task, dataset)


def _qualified(dataset: str, images: ImageSet) -> ImageSet:
    """The same images under qualified names, their own and their classes'."""
    names = tuple(qualified(dataset, name) for name in images.names)
    classes = tuple(qualified(dataset, name) for name in images.class_names)
    return ImageSet(images.pictures, images.labels, images.domains, names, classes)


def _together(sets: Mapping[str, ImageSet]) -> ImageSet:
    """Images of all data sets, in their order, labelled against the classes of all."""
    renamed = [_qualified(dataset, images) for dataset, images in sets.items()]
    class_names = tuple(name for images in renamed for name in images.class_names)
    labels, offset = [], 0
    for images in renamed:
        labels.append(images.labels + offset)
        offset += len(images.class_names)
    return ImageSet(
        images=JoinedPictures(tuple(images.pictures for images in renamed)),
        labels=torch.cat(labels),
        domains=tuple(domain for images in renamed for domain in images.domains),
        names=tuple(name for images in renamed for name in images.names),
        class_names=class_names,
    )
