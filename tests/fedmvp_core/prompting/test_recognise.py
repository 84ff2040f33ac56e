"""A module that recognises by more than one feature an image and one a class."""

import pytest
import torch
from method_checks import encoded
from prepared import prepared
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.adversarial.pgd import pgd
from fedmvp_core.backbone import Backbone
from fedmvp_core.evaluation import alignment, evaluate_under_attack, predict_probabilities
from fedmvp_core.local.model import LocalModel
from fedmvp_core.logits import class_logits, label_logits
from fedmvp_core.prompting import Features, Prompting
from fedmvp_core.tasks import EncodedTask


class Shifted(Prompting):
    """Class features that lean towards the image; with `own` also logits of its own."""

    def __init__(self, own: bool = False) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(0.5))
        self.own = own

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        return backbone.encode_image(images, normalize=True)

    def recognise(
        self,
        backbone: Backbone,
        images: Tensor,
        task: EncodedTask,
        class_features: Tensor,
        asked: EncodedTask,
    ) -> Features:
        seen = self.image_features(backbone, images, task)
        classes = class_features + self.weight * seen.roll(1, dims=-1)[:, None]
        assert len(class_features) == len(asked.task.class_names)
        logits = -torch.cdist(classes, seen[:, None]).squeeze(-1) if self.own else None
        return Features(seen, classes, logits)


def by_hand(backbone: Backbone, images: Tensor, task: EncodedTask, own: bool) -> Tensor:
    rows = []
    for seen in backbone.encode_image(images, normalize=True):
        classes = task.class_features + 0.5 * seen.roll(1)
        cosines = torch.stack([backbone.logit_scale * seen @ row for row in classes])
        rows.append(-(classes - seen).norm(dim=-1) if own else cosines)
    return torch.stack(rows)


@pytest.mark.parametrize("own", [False, True])
def test_training_and_evaluation_go_through_it(tiny_backbone: Backbone, own: bool) -> None:
    module, shard = Shifted(own), prepared(tiny_backbone, 4)
    model, pixels = LocalModel(tiny_backbone, module, shard), shard.images.float() / 255
    with torch.no_grad():
        expected = by_hand(tiny_backbone, pixels, shard.task, own)
        torch.testing.assert_close(model.predict(pixels)[1], expected, rtol=0, atol=1e-4)
        torch.testing.assert_close(model.attacked_logits(pixels), expected, rtol=0, atol=1e-4)
    found = predict_probabilities(tiny_backbone, module, shard.task, shard.images)
    torch.testing.assert_close(found, expected.softmax(dim=-1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("own", [False, True])
def test_attacks_go_through_it(tiny_backbone: Backbone, own: bool) -> None:
    module, task = Shifted(own), encoded(tiny_backbone, "cat", "dog", "cow")
    images, labels = torch.rand(3, 3, 64, 64), torch.tensor([0, 1, 2])
    left = evaluate_under_attack(
        tiny_backbone,
        module,
        task,
        images,
        labels,
        lambda logits_of, x, y, draw: pgd(logits_of, x, y, 8 / 255, 2 / 255, 3, generator=draw),
        torch.Generator().manual_seed(0),
    )
    clean = predict_probabilities(tiny_backbone, module, task, images)
    rows = torch.arange(3)
    assert (left.probabilities[rows, labels] < clean[rows, labels]).all()
    with torch.no_grad():
        features = module(tiny_backbone, images, task)
    for each in range(3):
        own_class = features.class_features[each, each]
        cosine = F.cosine_similarity(features.image_features[each], own_class, dim=0)
        torch.testing.assert_close(left.alignment[each], cosine, rtol=0, atol=1e-5)


def test_labels_of_classes_that_differ_from_image_to_image() -> None:
    draw = torch.Generator().manual_seed(0)
    images = F.normalize(torch.randn(2, 6, generator=draw), dim=-1)
    classes = torch.randn(2, 4, 6, generator=draw)
    found = label_logits(images, classes, 10.0)
    for each in range(2):
        alone = label_logits(images[each : each + 1], classes[each], 10.0)
        torch.testing.assert_close(found[each : each + 1], alone, rtol=0, atol=1e-5)
    present = torch.tensor([[1, 0, 0, 1], [0, 0, 1, -1]])
    aligned = alignment(Features(images, classes), present)
    cosines = F.cosine_similarity(images[:, None], classes, dim=-1)
    expected = torch.stack([cosines[0, [0, 3]].mean(), cosines[1, 2]])
    torch.testing.assert_close(aligned, expected)


def test_a_modules_own_logits_are_left_as_they_are(tiny_backbone: Backbone) -> None:
    task, own = encoded(tiny_backbone, "cat", "dog"), torch.tensor([[3.0, -1.0]])
    features = Features(torch.ones(1, 128), torch.ones(2, 128), own)
    assert class_logits(features, task, tiny_backbone.logit_scale) is own
