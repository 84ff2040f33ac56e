"""The frame on pixels: where it is, that it is there at test, and that nothing clips gradients."""

import torch
from method_checks import encoded

from fedmvp_core.backbone import Backbone
from fedmvp_core.evaluation import predict_probabilities
from fedmvp_core.prompting.pixel_frame import PixelFrame

SIZE, PAD = 64, 9


def drawn(backbone: Backbone) -> PixelFrame:
    torch.manual_seed(0)
    module = PixelFrame(SIZE, backbone.image_width, PAD)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape))
    return module


def test_the_frame_is_as_wide_as_asked_on_all_sides() -> None:
    module = PixelFrame(10, 4, 3)
    for value, side in enumerate((module.top, module.bottom, module.left, module.right), start=1):
        side.data.fill_(value)
    rows = [[1] * 10] * 3 + [[3] * 3 + [0] * 4 + [4] * 3] * 4 + [[2] * 10] * 3
    expected = torch.tensor(rows, dtype=torch.float32).expand(3, 10, 10)
    assert torch.equal(module.frame().detach(), expected)


@torch.no_grad()
def test_features_are_those_of_the_framed_picture_with_tokens_behind_it(
    tiny_backbone: Backbone,
) -> None:
    module, task = drawn(tiny_backbone), encoded(tiny_backbone, "cat", "dog")
    images = torch.rand(2, 3, SIZE, SIZE)
    framed = images.clone()
    inside = slice(PAD, SIZE - PAD)
    for channel in range(3):
        for y in range(SIZE):
            for x in range(SIZE):
                if not (PAD <= y < SIZE - PAD and PAD <= x < SIZE - PAD):
                    framed[:, channel, y, x] += module.frame()[channel, y, x]
    assert torch.equal(framed[..., inside, inside], images[..., inside, inside])
    found = module(tiny_backbone, images, task)
    expected = tiny_backbone.encode_image(framed, {0: module.tokens}, normalize=True)
    torch.testing.assert_close(found.image_features, expected)
    assert found.class_features is task.zero_shot_features


def test_it_is_applied_at_test_to_whole_numbers_too(tiny_backbone: Backbone) -> None:
    module, task = drawn(tiny_backbone), encoded(tiny_backbone, "cat", "dog", "cow")
    images = torch.randint(0, 256, (3, 3, SIZE, SIZE), dtype=torch.uint8)
    found = predict_probabilities(tiny_backbone, module, task, images)
    with torch.no_grad():
        framed = images / 255 + module.frame()
        features = tiny_backbone.encode_image(framed, {0: module.tokens}, normalize=True)
        logits = tiny_backbone.logit_scale * features @ task.zero_shot_features.T
        module.top.zero_()
    torch.testing.assert_close(found, logits.softmax(dim=-1))
    assert not torch.allclose(found, predict_probabilities(tiny_backbone, module, task, images))


def test_gradients_reach_every_framed_pixel_of_a_white_picture(tiny_backbone: Backbone) -> None:
    module, task = drawn(tiny_backbone), encoded(tiny_backbone, "cat")
    images = torch.ones(1, 3, SIZE, SIZE, requires_grad=True)
    module.image_features(tiny_backbone, images, task)[0, 0].backward()
    assert images.grad is not None
    assert float((images.grad != 0).float().mean()) > 0.999
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert float((parameter.grad != 0).float().mean()) > 0.999, name


def test_an_untrained_frame_changes_no_pixel() -> None:
    assert not PixelFrame(SIZE, 8, PAD).frame().any()
