"""TeCoA: fine-tune CLIP's image encoder against attacks (Mao et al., ICLR 2023, section 3.2).

min over the image encoder f of E CE(s cos(f(x + delta), t_y)), where delta maximises the same loss
in the epsilon ball. The text features t and the scale s stay as they are, so the result still
answers to any sentence.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.adversarial.perturbation import attack_mode
from fedmvp_core.adversarial.pgd import pgd
from fedmvp_core.backbone import Backbone
from fedmvp_core.backbone.transfer import move_images


def finetune_image_encoder(
    backbone: Backbone,
    images: Tensor,
    labels: Tensor,
    sentences: Sequence[str],
    epsilon: float = 1 / 255,
    step_size: float = 1 / 255,
    steps: int = 2,
    learning_rate: float = 1e-5,
    epochs: int = 10,
    batch_size: int = 256,
    seed: int = 0,
) -> Backbone:
    """A copy of `backbone` with its image encoder fine-tuned on adversarial images alone.

    SGD with momentum 0.9; the learning rate falls to zero along a cosine. The defaults are the
    paper's. To keep the result: `save_image_tower` of `fedmvp_core.backbone`, and later
    `pretrained` = "BASE+PATH".

    Args:
        backbone: stays as it is.
        images: (n, 3, image_size, image_size), float in [0, 1] or uint8.
        labels: (n,) int64, positions in `sentences`.
        sentences: one for each class, "This is a photo of a cat" in the paper.
        epsilon, step_size: the attack's radius and step, in pixel units.
        steps: of the attack, from a random start.
        learning_rate: of the first step.
        epochs: times that every image is seen.
        batch_size: images in a step; the last batch of an epoch may be smaller.
        seed: for the order of the images and the attacks' starts; the global generator is not used.

    Raises:
        AttackError: images, labels or the attack's numbers are out of range.
    """
    tuned = copy.deepcopy(backbone)
    tuned.pretrained = None  # no file holds these weights yet
    vars(tuned).pop("weights_hash", None)  # a cached property, copied with its value
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        class_features = tuned.encode_text(sentences, normalize=True)

    def logits_of(pixels: Tensor) -> Tensor:
        features = tuned.encode_image(pixels, normalize=True)
        return tuned.logit_scale * features @ class_features.T

    tuned.clip.visual.requires_grad_(True)
    optimizer = torch.optim.SGD(tuned.clip.visual.parameters(), learning_rate, momentum=0.9)
    updates = epochs * -(-len(images) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(updates, 1))
    for _ in range(epochs):
        for rows in torch.randperm(len(images), generator=generator).split(batch_size):
            pixels, truth = _on_device(images[rows], labels[rows], tuned)
            with attack_mode(tuned):
                attacked = pgd(
                    logits_of, pixels, truth, epsilon, step_size, steps, generator=generator
                )
            optimizer.zero_grad()
            F.cross_entropy(logits_of(attacked), truth).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    tuned.requires_grad_(False)
    return tuned


def _on_device(images: Tensor, labels: Tensor, backbone: Backbone) -> tuple[Tensor, Tensor]:
    """A batch beside the backbone, as float images in [0, 1]."""
    scale = 255 if images.dtype == torch.uint8 else 1
    pixels = move_images(images, backbone.device).to(torch.float32) / scale
    return pixels, labels.to(backbone.device)
