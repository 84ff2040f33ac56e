from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_scenes import small_scenes

from fedmvp_core.backbone import FeatureCache, load_backbone
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.settings import Evaluation
from fedmvp_core.prompting.none import NoPrompts
from fedmvp_core.prompting.promptformer import PromptFormer
from fedmvp_core.tasks import Task
from simulations.report import write_report
from simulations.report.attention import attention_map, attention_maps
from simulations.report.examples import (
    GAINED,
    LOST,
    RIGHT,
    WRONG,
    choose,
    highest_is_right,
    kinds_of,
    predict_examples,
    top_guesses,
    true_labels,
    truth_in_words,
)

CLASSES = ("dog <i>", "red car", "tree")
DOMAINS = ("noto", "sketch")


def evaluation(name: str, count: int) -> Evaluation:
    pixels = torch.Generator().manual_seed(count)
    images = ImageSet(
        images=torch.randint(0, 256, (count, 3, 64, 64), dtype=torch.uint8, generator=pixels),
        labels=torch.arange(count) % 3,
        domains=tuple(DOMAINS[i % 2] for i in range(count)),
        names=tuple(f"picture {i}" for i in range(count)),
        class_names=CLASSES,
    )
    phrases = (("four legs", "a tail"), ("wheels",), ("leaves & bark", "branches"))
    return Evaluation(name, images, Task(CLASSES, phrases, "a {class}", "a {class}, {attribute}"))


@pytest.fixture(scope="module")
def saved():
    """What the report uses of a run: a tiny CLIP and a PromptFormer, of random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = load_backbone("tiny", None, "cpu", "fp32")
        prompting = PromptFormer(backbone.image_width, backbone.embed_dim).eval()
    evaluations = (evaluation("base", 30), evaluation("new", 20), evaluation("empty", 0))
    return SimpleNamespace(
        config=SimpleNamespace(evaluation=SimpleNamespace(robust_attack="none")),
        round=20,
        backbone=backbone,
        prompting=prompting,
        setting=SimpleNamespace(evaluations=evaluations),
        cache=FeatureCache(),
    )


@pytest.fixture(scope="module")
def found(saved):
    return predict_examples(saved)


def test_examples_of_each_evaluation_that_has_pictures(found):
    assert [group.evaluation for group in found] == ["base", "new"]
    assert [group.looked_at for group in found] == [30, 20]
    for group in found:
        assert sum(group.counts.values()) == group.looked_at
        assert len(group.shown) == 6
        for example in group.shown:
            assert example.truth == CLASSES[example.index % 3]
            assert example.picture.startswith("data:image/png;base64,")
            assert sum(guess.probability for guess in example.tuned) == pytest.approx(1, abs=1e-4)
            best = example.tuned[0]
            assert best.right == (example.kind in (GAINED, RIGHT))


def test_pictures_with_several_labels(saved):
    scenes = small_scenes(9, 1)
    scenes.labels[0] = 0
    bare = ((),) * len(scenes.class_names)
    names = scenes.class_names
    task = Task(names, bare, "a {class}", "a {class}, {attribute}", multi_label=True)
    own = SimpleNamespace(evaluations=(Evaluation("all", scenes, task),))
    (group,) = predict_examples(SimpleNamespace(**{**vars(saved), "setting": own}))
    for example in group.shown:
        present = {names[label] for label in scenes.labels[example.index].nonzero().flatten()}
        assert set(example.truth.split(", ")) == (present or {"none of them"})
        for guess in (*example.zero_shot, *example.tuned):
            assert guess.right == (guess.name in present)
        assert example.tuned[0].right == (example.kind in (GAINED, RIGHT))


def test_what_is_right_with_one_label_and_with_several():
    truths = true_labels(torch.tensor([[1, 0, 1], [0, -1, 0], [-1, 1, 0]]))
    assert truths == [(0, 2), (), (1,)]
    assert true_labels(torch.tensor([2, 0])) == [(2,), (0,)]
    assert truth_in_words(truths[0], CLASSES) == "dog <i>, tree"
    assert truth_in_words(truths[1], CLASSES) == "none of them"
    scores = np.array([[0.1, 0.2, 0.3], [0.9, 0.1, 0.1], [0.5, 0.6, 0.7]])
    assert highest_is_right(scores, truths).tolist() == [True, False, False]


def test_attention_of_a_few_pictures(saved, found):
    maps = attention_maps(saved, found)
    assert len(maps) == 6
    assert {one.evaluation for one in maps} == {"base", "new"}
    assert {one.example.domain for one in maps} == set(DOMAINS)
    for one in maps:
        assert one.attributes == 5
        assert sum(entry.patches for entry in one.legend) == 64
        assert len(one.heat_maps) == 3


def test_a_prompting_without_attention_has_no_maps(saved):
    plain = SimpleNamespace(**{**vars(saved), "prompting": NoPrompts()})
    examples = predict_examples(plain)
    assert set(examples[0].counts) <= {RIGHT, WRONG}
    assert attention_maps(plain, examples) == []


def test_the_page_shows_them(saved, make_run, tmp_path):
    text = write_report(make_run(tmp_path / "run"), saved).read_text()
    assert "What PromptFormer looks at" in text
    assert "by the tuned one (after round 20)" in text
    assert "dog &lt;i&gt;" in text
    assert "<i>" not in text.replace("<i></i>", "").replace('<i style="', "")
    assert "leaves &amp; bark" in text
    assert len(text) < 3_000_000


def test_kinds_of_outcome():
    before, after = np.array([0, 1, 1, 0], bool), np.array([1, 0, 1, 0], bool)
    assert kinds_of(before, after) == [GAINED, LOST, RIGHT, WRONG]


def test_every_kind_and_domain_is_chosen_before_repeats():
    kinds = [RIGHT] * 20 + [GAINED, LOST, WRONG]
    domains = ["a", "b"] * 10 + ["a", "a", "a"]
    chosen = choose(kinds, domains, list(range(23)), 6)
    assert len(set(chosen)) == 6
    assert {kinds[i] for i in chosen} == {GAINED, LOST, RIGHT, WRONG}
    assert "b" in {domains[i] for i in chosen}


def test_fewer_pictures_than_asked_for():
    assert choose([WRONG], ["a"], [0], 6) == [0]


def test_top_guesses_are_in_order():
    guesses = top_guesses(np.array([0.2, 0.5, 0.3]), CLASSES, (2,))
    assert [guess.name for guess in guesses] == ["red car", "tree", "dog <i>"]
    assert [guess.right for guess in guesses] == [False, True, False]


def test_the_legend_counts_patches_by_strongest_attribute(found):
    example = found[0].shown[0]
    weights = np.full((16, 10), 0.05)
    weights[:12, 3] = 0.55
    weights[12:, 7] = 0.55
    names = tuple(f"attribute {i}" for i in range(10))
    one = attention_map(example, "base", weights, names)
    assert [(entry.name, entry.patches) for entry in one.legend] == [
        ("attribute 3", 12),
        ("attribute 7", 4),
    ]
    assert one.heat_maps[0].name == "attribute 3"
    assert one.heat_maps[0].low == pytest.approx(0.05)
    assert one.heat_maps[0].high == pytest.approx(0.55)


def test_more_attributes_than_colours_share_grey(found):
    example = found[0].shown[0]
    one = attention_map(example, "base", np.eye(9), tuple("abcdefghi"))
    assert one.legend[-1].name == "2 other attributes"
    assert sum(entry.patches for entry in one.legend) == 9
