"""Central evaluation of images with several labels, against measures made one split at a time."""

from collections.abc import Callable, Mapping

import pytest
import torch
from configured import setting_of
from prepared import random_images
from small_scenes import CLASSES, small_dataset, small_scenes
from torch import Tensor

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.settings import Evaluation, Setting
from fedmvp_core.errors import DataError
from fedmvp_core.evaluation import predict_probabilities
from fedmvp_core.methods import find_method
from fedmvp_core.metrics.measures import measure, validation_thresholds
from fedmvp_core.metrics.multi_label import average_precisions
from fedmvp_core.prompting import Prompting
from fedmvp_core.tasks import encode_task
from server_app.evaluation.clean import CentralEvaluation
from server_app.evaluation.robust import RobustEvaluation

Make = Callable[..., RunConfig]


@pytest.fixture
def prompting(tiny_backbone: Backbone, default_config: Make) -> Prompting:
    config = default_config()
    return find_method(config).build_prompting(tiny_backbone, CLASSES)


def central(backbone: Backbone, setting: Setting) -> CentralEvaluation:
    return CentralEvaluation(backbone, setting, [], FeatureCache(None))


def predicted(
    backbone: Backbone, prompting: Prompting | None, setting: Setting, images: ImageSet
) -> Tensor:
    task = encode_task(backbone, setting.make_task(CLASSES), FeatureCache(None))
    return predict_probabilities(backbone, prompting, task, images.images)


@pytest.mark.parametrize("zero_shot", [True, False])
def test_thresholds_are_chosen_on_validation_images_at_the_end(
    tiny_backbone: Backbone, default_config: Make, prompting: Prompting, zero_shot: bool
) -> None:
    dataset = small_dataset()
    setting = setting_of(dataset, default_config(setting="multi-label"))
    evaluation = central(tiny_backbone, setting)
    found = evaluation.zero_shot() if zero_shot else evaluation(prompting, last=True)
    used = None if zero_shot else prompting
    chosen = validation_thresholds(
        predicted(tiny_backbone, used, setting, dataset.validation), dataset.validation.labels
    )
    probabilities = predicted(tiny_backbone, used, setting, dataset.test)
    expected = measure(probabilities, dataset.test.labels, chosen)
    assert found == {"all": pytest.approx(expected)}
    if not zero_shot:
        early = measure(probabilities, dataset.test.labels)
        assert evaluation(prompting) == {"all": pytest.approx(early)}
        assert set(expected) - set(early)


def test_no_threshold_is_chosen_on_the_images_that_are_tested(
    tiny_backbone: Backbone, default_config: Make, prompting: Prompting
) -> None:
    config = default_config(setting="multi-label", eval_split="validation")
    found = central(tiny_backbone, setting_of(small_dataset(), config))(prompting, last=True)
    assert not [metric for metric in found["all"] if "validation-threshold" in metric]


def test_average_precision_by_class(
    tiny_backbone: Backbone, default_config: Make, prompting: Prompting
) -> None:
    dataset = small_dataset()
    dataset.test.labels[:, 2] = 0
    setting = setting_of(dataset, default_config(setting="multi-label"))
    rows = central(tiny_backbone, setting).by_class(prompting)
    assert [name for _, name, *_ in rows] == ["blue", "green", "red"]
    tuned, frozen = (
        average_precisions(
            predicted(tiny_backbone, used, setting, dataset.test), dataset.test.labels
        )
        for used in (prompting, None)
    )
    for column, row in zip((0, 1, 3), rows, strict=True):
        count = int(dataset.test.labels[:, column].sum())
        assert row[2:] == (count, pytest.approx(frozen[column]), pytest.approx(tuned[column]))


def test_splits_that_cannot_be_measured_are_refused(
    tiny_backbone: Backbone, default_config: Make
) -> None:
    config = default_config(setting="multi-label")
    whole = small_dataset()
    unknown = Dataset("unknown", whole.train, whole.validation, small_scenes(4, 3, unknown=1.0))
    with pytest.raises(DataError, match="split 'all' has no image with one of its labels"):
        central(tiny_backbone, setting_of(unknown, config))
    setting = setting_of(whole, config)
    single = Evaluation("odd", random_images(3), setting.evaluations[0].task)
    odd = Setting(
        setting.train, setting.validation, (single,), {}, setting.summary, setting.make_task
    )
    with pytest.raises(DataError, match="split 'odd' is labelled for another kind of task"):
        central(tiny_backbone, odd)


def values(measured: Mapping[str, float], name: str) -> list[float]:
    return [value for metric, value in measured.items() if metric.startswith(name)]


def test_what_is_left_under_attack(
    tiny_backbone: Backbone, default_config: Make, prompting: Prompting
) -> None:
    """With a radius of 0 the clean values are left, unknown labels and all."""
    dataset = small_dataset()
    known = small_scenes(16, 3, unknown=0.2)
    setting = setting_of(
        Dataset("some", dataset.train, dataset.validation, known),
        default_config(setting="multi-label"),
    )
    evaluation = central(tiny_backbone, setting)
    clean = evaluation(prompting)["all"]
    for epsilon in ("0", "8/255"):
        config = default_config(robust_attack="pgd", robust_epsilon=epsilon, robust_steps=3)
        robust = RobustEvaluation(tiny_backbone, config, evaluation)
        left = robust(prompting, 1, last=True)["all"]
        assert robust.headline == f"robust-map[pgd-3 eps={epsilon}]"
        for name in ("map", "cf1", "of1"):
            (value,) = values(left, f"robust-{name}[")
            assert value == pytest.approx(clean[name]) if epsilon == "0" else value < clean[name]
        assert left["attacked-images"] == 16
        assert torch.tensor(list(left.values())).isfinite().all()
