"""Images with several labels: all of them, partial labels, and labels that training never names."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from configured import setting_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.settings import load_setting
from fedmvp_core.data.shards import make_shards
from fedmvp_core.errors import ConfigError, DataError

Make = Callable[..., RunConfig]
NAMES = ("ant", "bee", "cow", "dog", "eel", "fox")
SEEN, UNSEEN = ("ant", "cow", "dog", "fox"), ("bee",)  # "eel" takes no part


def image_set(n: int, seed: int) -> ImageSet:
    draw = torch.Generator().manual_seed(seed)
    labels = (torch.rand(n, len(NAMES), generator=draw) < 0.25).long()
    return ImageSet(
        images=torch.zeros(n, 3, 1, 1, dtype=torch.uint8),
        labels=labels,
        domains=("",) * n,
        names=tuple(f"{seed}-{i:03d}" for i in range(n)),
        class_names=NAMES,
    )


def dataset(seed: int = 0) -> Dataset:
    return Dataset("scenes", image_set(80, seed), image_set(40, seed + 1), image_set(60, seed + 2))


def shown(dataset: Dataset, split: str) -> dict[str, set[str]]:
    """Image name -> the classes it shows."""
    images: ImageSet = getattr(dataset, split)
    return {
        name: {NAMES[i] for i, label in enumerate(row) if label == 1}
        for name, row in zip(images.names, images.labels.tolist(), strict=True)
    }


@pytest.fixture
def configured(default_config: Make, tmp_path: Path) -> Callable[[str], RunConfig]:
    """Configurations of a setting with unseen labels."""
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"seen": SEEN, "unseen": UNSEEN}))

    def make(setting: str) -> RunConfig:
        options = {"setting.label-split": str(path)}
        return default_config(setting=setting, partition="kmeans-labels", **options)

    return make


def test_all_labels_are_trained_and_tested(default_config: Make) -> None:
    setting = setting_of(dataset(), default_config(setting="multi-label"))
    (everything,) = setting.evaluations
    assert everything.name == "all"
    assert everything.task.class_names == setting.train.class_names == NAMES
    assert setting.train.multi_label
    assert everything.task.multi_label
    assert setting.make_task(["cow"]).multi_label
    assert len(everything.images) == 60, "those that show nothing as well"


# --- unseen labels


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 50), rate=st.sampled_from([0.0, 0.5]))
@pytest.mark.parametrize("rule", ["zsl", "gzsl"])
def test_nothing_unseen_is_ever_trained(
    configured: Callable[[str], RunConfig], rule: str, seed: int, rate: float
) -> None:
    data = dataset(seed)
    config = configured(rule)
    setting = setting_of(data, config)
    for images, split in ((setting.train, "train"), (setting.validation, "validation")):
        whole = shown(data, split)
        wanted = {
            name
            for name, classes in whole.items()
            if classes & set(SEEN) and not classes & set(UNSEEN)
        }
        assert set(images.names) == wanted
        assert images.class_names == SEEN
        for name, row in zip(images.names, images.labels.tolist(), strict=True):
            assert {SEEN[i] for i, label in enumerate(row) if label} == whole[name] & set(SEEN)
    for shard in make_shards(setting, 2, config.with_values(mask_rate=rate)):
        assert shard.task.class_names == shard.images.class_names == SEEN
        assert shard.task.multi_label
        assert shard.images.labels.shape[1] == shard.validation.labels.shape[1] == len(SEEN)


def test_zsl_ranks_the_unseen_labels_alone(configured: Callable[[str], RunConfig]) -> None:
    data = dataset()
    (unseen,) = setting_of(data, configured("zsl")).evaluations
    assert (unseen.name, unseen.task.class_names) == ("unseen", UNSEEN)
    wanted = {name for name, classes in shown(data, "test").items() if "bee" in classes}
    assert set(unseen.images.names) == wanted
    assert setting_of(data, configured("zsl")).summary({"unseen": 0.5}) == {}


def test_gzsl_ranks_all_labels_and_the_kinds_apart(configured: Callable[[str], RunConfig]) -> None:
    data = dataset()
    setting = setting_of(data, configured("gzsl"))
    named = {evaluation.name: evaluation.task.class_names for evaluation in setting.evaluations}
    assert named == {"seen": SEEN, "unseen": UNSEEN, "all": SEEN + UNSEEN}
    whole = shown(data, "test")
    for evaluation in setting.evaluations:
        classes = evaluation.task.class_names
        assert set(evaluation.images.names) == {n for n in whole if whole[n] & set(classes)}
        for name, row in zip(evaluation.images.names, evaluation.images.labels, strict=True):
            found = {classes[i] for i in row.nonzero().flatten().tolist()}
            assert found == whole[name] & set(classes)


def test_the_headline_of_gzsl_is_the_harmonic_mean_of_seen_and_unseen(
    configured: Callable[[str], RunConfig],
) -> None:
    summary = setting_of(dataset(), configured("gzsl")).summary
    assert summary({"seen": 0.6, "unseen": 0.2, "all": 0.9}) == {
        "harmonic-mean": pytest.approx(2 * 0.6 * 0.2 / (0.6 + 0.2)),
    }
    assert summary({"seen": 0.6}) == {}


def test_without_a_file_the_split_follows_the_seed(default_config: Make) -> None:
    def seen(seed: int) -> tuple[str, ...]:
        return setting_of(dataset(), default_config(setting="gzsl", seed=seed)).train.class_names

    assert seen(1) == seen(1)
    assert len({seen(seed) for seed in range(1, 6)}) > 1


def test_a_split_that_names_strangers_is_refused(default_config: Make, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"seen": ["ant"], "unseen": ["yak"]}))
    options = {"setting.label-split": str(path)}
    with pytest.raises(DataError, match=r"yak; it has: ant, bee, cow"):
        setting_of(dataset(), default_config(setting="gzsl", **options))


def test_unseen_labels_that_no_test_image_shows_are_refused(
    configured: Callable[[str], RunConfig],
) -> None:
    data = dataset()
    labels = data.test.labels.clone()
    labels[:, NAMES.index("bee")] = 0
    bare = replace(data, test=data.test.with_labels(labels))
    with pytest.raises(DataError, match="split 'unseen' of scenes has no test images"):
        setting_of(bare, configured("zsl"))


# --- partial labels


def test_a_mask_hides_labels_of_training_alone_and_moves_no_image(default_config: Make) -> None:
    data = dataset()
    kinds = {"partition": "kmeans-labels", "setting": "multi-label"}
    plain, masked = (default_config(**kinds, mask_rate=rate) for rate in (0.0, 0.4))
    setting = setting_of(data, masked)
    whole, partial = make_shards(setting, 3, plain), make_shards(setting, 3, masked)
    hidden = torch.cat([shard.images.labels for shard in partial]) == -1
    assert float(hidden.double().mean()) == pytest.approx(0.4, abs=0.07)  # of 480 labels
    for one, other in zip(whole, partial, strict=True):
        assert one.images.names == other.images.names
        known = other.images.labels >= 0
        assert torch.equal(one.images.labels[known], other.images.labels[known])
        assert bool((one.validation.labels >= 0).all())
    assert bool((setting.evaluations[0].images.labels >= 0).all())


# --- the wrong kind of labels


def test_settings_refuse_the_other_kind_and_say_which_are_for_it(
    default_config: Make, small_run: Make
) -> None:
    for rule, allowed in (("base-to-new", "zsl, gzsl"), ("few-shot", "multi-label, zsl, gzsl")):
        with pytest.raises(ConfigError, match=f"scenes have several; allowed: {allowed}"):
            setting_of(dataset(), default_config(setting=rule))
    for setting, allowed in (("multi-label", "base-to-new, few-shot"), ("gzsl", "base-to-new")):
        with pytest.raises(ConfigError, match=f"have one; allowed: {allowed}"):
            load_setting(small_run(setting=setting), 32)


def test_keys_for_the_other_kind_are_refused(small_run: Make) -> None:
    with pytest.raises(ConfigError, match=r"mask-rate is 0.5, but .* one label each; allowed: 0"):
        load_setting(small_run(mask_rate=0.5), 32)
    with pytest.raises(ConfigError, match=r"shots is 4, but .* several labels; allowed: 0"):
        load_setting(small_run(dataset="emojiscenes", setting="multi-label"), 8)
