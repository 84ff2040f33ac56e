"""What is trained on and tested on: classes and domains of one data set."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from configured import setting_of

from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.settings import Setting, load_setting
from fedmvp_core.errors import ConfigError, DataError

DOMAINS = ("art", "photo", "sketch")


def image_set(classes: int, each: int, without: tuple[tuple[int, int], ...] = ()) -> ImageSet:
    """`each` images of every class and domain, but none of the pairs in `without`."""
    rows = [
        (label, domain)
        for label in range(classes)
        for domain in range(3)
        for _ in range(each)
        if (label, domain) not in without
    ]
    return ImageSet(
        images=torch.zeros(len(rows), 3, 1, 1, dtype=torch.uint8),
        labels=torch.tensor([label for label, _ in rows], dtype=torch.int64),
        domains=tuple(DOMAINS[domain] for _, domain in rows),
        names=tuple(str(i) for i in range(len(rows))),
        class_names=tuple("abcdefgh"[i] for i in range(classes)),
    )


def dataset(classes: int, without: tuple[tuple[int, int], ...] = (), **options: Any) -> Dataset:
    return Dataset(
        "toy",
        image_set(classes, 3),
        image_set(classes, 2) if options.get("validation", True) else image_set(classes, 0),
        image_set(classes, 1, without),
        {"abcdefgh"[i]: (f"trait {i}",) for i in range(classes)},
    )


Make = Callable[..., RunConfig]


def evaluation_names(setting: Setting) -> list[str]:
    return [evaluation.name for evaluation in setting.evaluations]


# --- base-to-new


@pytest.mark.parametrize(("classes", "half"), [(2, 1), (5, 3), (6, 3), (7, 4)])
def test_base_is_the_first_half_rounded_up(default_config: Make, classes: int, half: int) -> None:
    setting = setting_of(dataset(classes), default_config())
    base, new = setting.evaluations
    assert evaluation_names(setting) == ["base", "new"]
    assert base.task.class_names == tuple("abcdefgh"[:half])
    assert new.task.class_names == tuple("abcdefgh"[half:classes])
    for images in (setting.train, setting.validation, base.images):
        assert images.class_names == base.task.class_names
        assert images.labels.unique().tolist() == list(range(half))
    assert new.images.class_names == new.task.class_names
    assert new.images.labels.unique().tolist() == list(range(classes - half)), "from 0 again"
    assert setting.local == {"": base.images}


def test_attributes_follow_the_classes(default_config: Make) -> None:
    setting = setting_of(dataset(4), default_config())
    assert setting.evaluations[1].task.attributes == (("trait 2",), ("trait 3",))
    assert setting.make_task(["d", "a"]).attributes == (("trait 3",), ("trait 0",))


def test_tasks_have_the_configured_sentences(default_config: Make) -> None:
    config = default_config(
        template="one {class}", attribute_template="{class}: {attribute}", attribute_weight=0.25
    )
    for setting in (
        setting_of(dataset(4), config),
        setting_of(
            dataset(4), config.with_values(setting="msst", setting_options="target-domain=art")
        ),
    ):
        for task in (setting.evaluations[0].task, setting.make_task(["a"])):
            assert task.class_sentences()[0] == "one a"
            assert task.attribute_sentences(0) == ["a: trait 0"]
            assert task.attribute_weight == 0.25
            assert not task.multi_label


def test_one_class_cannot_be_halved(default_config: Make) -> None:
    with pytest.raises(ConfigError, match="'base-to-new' needs 2 classes or more; toy has 1"):
        setting_of(dataset(1), default_config())


def test_the_harmonic_mean_is_of_three(default_config: Make) -> None:
    """FedMVP's table 1: 81.89 local, 75.37 base, 77.82 new make 78.27."""
    summary = setting_of(dataset(4), default_config()).summary
    headline = summary({"local": 0.8189, "base": 0.7537, "new": 0.7782})
    assert {name: round(100 * value, 2) for name, value in headline.items()} == {
        "harmonic-mean": 78.27
    }
    assert summary({"local": 0.5, "base": 0.0, "new": 0.5}) == {"harmonic-mean": 0.0}
    assert summary({"base": 0.5, "new": 0.5}) == {}


# --- msst


def test_msst_trains_on_the_sources_and_tests_on_the_target(default_config: Make) -> None:
    setting = setting_of(
        dataset(4), default_config(setting="msst", setting_options="target-domain=photo")
    )
    assert evaluation_names(setting) == ["source", "target"]
    source, target = setting.evaluations
    for images in (setting.train, setting.validation, source.images):
        assert set(images.domains) == {"art", "sketch"}
    assert set(target.images.domains) == {"photo"}
    assert source.task.class_names == target.task.class_names == ("a", "b", "c", "d")
    assert setting.local == {}
    assert setting.summary({"source": 0.5, "target": 0.5}) == {}


def test_an_unknown_target_domain_lists_those_there_are(default_config: Make) -> None:
    config = default_config(setting="msst", setting_options="target-domain=clipart")
    with pytest.raises(ConfigError, match="is 'clipart'; toy has the domains: art, photo, sketch"):
        setting_of(dataset(4), config)


def test_one_domain_is_too_few(default_config: Make) -> None:
    whole = dataset(4)
    only = Dataset("toy", *(i.of_domains(["art"]) for i in (whole.train, whole.train, whole.test)))
    with pytest.raises(ConfigError, match="'msst' needs 2 domains or more; toy has 1"):
        setting_of(only, default_config(setting="msst", setting_options="target-domain=art"))


# --- ssmt


def test_ssmt_trains_on_one_domain_and_tests_on_each_other(default_config: Make) -> None:
    setting = setting_of(
        dataset(4), default_config(setting="ssmt", setting_options="source-domain=photo")
    )
    assert evaluation_names(setting) == ["source", "target-art", "target-sketch"]
    held = [set(evaluation.images.domains) for evaluation in setting.evaluations]
    assert held == [{"photo"}, {"art"}, {"sketch"}]
    assert set(setting.train.domains) == set(setting.validation.domains) == {"photo"}
    assert {e.task.class_names for e in setting.evaluations} == {("a", "b", "c", "d")}
    headline = setting.summary({"source": 0.9, "target-art": 0.5, "target-sketch": 0.3})
    assert headline == {"target-mean": pytest.approx(0.4)}


def test_ssmt_refuses_domains_that_are_not_there(default_config: Make) -> None:
    config = default_config(setting="ssmt", setting_options="source-domain=clipart")
    with pytest.raises(ConfigError, match="is 'clipart'; toy has the domains: art, photo, sketch"):
        setting_of(dataset(4), config)


# --- few-shot


def test_few_shot_trains_and_tests_on_all_classes(default_config: Make) -> None:
    setting = setting_of(dataset(5), default_config(setting="few-shot"))
    (everything,) = setting.evaluations
    assert everything.name == "all"
    assert everything.task.class_names == setting.train.class_names == tuple("abcde")
    assert everything.images.labels.unique().tolist() == list(range(5))
    assert setting.summary({"all": 0.5}) == {}


@pytest.mark.parametrize(("sampling", "most"), [("coop", 2), ("fedmvp", 8)])
def test_coop_draws_shots_before_anything_is_cut(small_run: Make, sampling: str, most: int) -> None:
    config = small_run(setting="base-to-new", shots=2, shot_sampling=sampling)
    setting = load_setting(config, 32)
    assert len(setting.evaluations) == 2
    assert set(setting.train.class_counts().values()) == {most}


# --- what is tested


def test_eval_split_chooses_validation(default_config: Make) -> None:
    tested = setting_of(dataset(4), default_config()).evaluations[0].images
    chosen = setting_of(dataset(4), default_config(eval_split="validation")).evaluations[0]
    assert (len(tested), len(chosen.images)) == (6, 12)


def test_a_data_set_without_validation_images(default_config: Make) -> None:
    bare = dataset(4, validation=False)
    assert len(setting_of(bare, default_config()).validation) == 0
    with pytest.raises(ConfigError, match="eval-split is 'validation', but toy has no such images"):
        setting_of(bare, default_config(eval_split="validation"))


def test_a_split_without_test_images_is_refused(default_config: Make) -> None:
    """Its accuracy would be no number."""
    no_new = tuple((label, domain) for label in (2, 3) for domain in range(3))
    with pytest.raises(DataError, match="split 'new' of toy has no test images"):
        setting_of(dataset(4, no_new), default_config())
    no_photo = tuple((label, 1) for label in range(4))
    with pytest.raises(DataError, match="split 'target' of toy has no test images"):
        setting_of(
            dataset(4, no_photo),
            default_config(setting="msst", setting_options="target-domain=photo"),
        )


def test_load_setting_finds_data_set_and_setting_by_name(small_run: Make) -> None:
    setting = load_setting(small_run(setting="msst", setting_options="target-domain=drawn"), 64)
    assert set(setting.train.domains) == {"photo"}
    assert setting.train.images.shape[1:] == (3, 64, 64)
