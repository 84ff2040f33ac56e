"""One client's model, ready for a step: as this project has it, and as the papers' code has it."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig
from fedmvp_core.local.attack import attack_radius, attack_step_size
from fedmvp_core.local.model import LocalRound
from fedmvp_core.local.shard import PreparedShard, prepare_shard
from fedmvp_core.methods import find_method
from fedmvp_core.prompting.promptformer import PromptFormer
from fedmvp_core.training import train_locally
from simulations.bench.as_released import AsReleased, Weights, as_released
from simulations.bench.inputs import Inputs, made_shard

MIRRORED = 0.5  # of the other view, as both have it


@dataclass(frozen=True)
class Local:
    """A shard of one batch on its device, our module, and the same numbers in the baseline.

    With bf16 the baseline computes under autocast over float32 weights, as scripts do.

    images: (batch, 3, size, size), in [0, 1]. ready: (m, width), prompts that nothing makes.
    """

    backbone: Backbone
    config: RunConfig
    shard: PreparedShard
    own: PromptFormer
    released: AsReleased
    images: Tensor
    ready: Tensor

    @property
    def labels(self) -> Tensor:
        """(batch,)."""
        return self.shard.labels

    def train(self, method: str) -> None:
        """A step of ours, as a client makes it."""
        mine = self.config.with_values(method=method)
        found = find_method(mine)
        train_locally(self.backbone, self.own, found, self.shard, mine, LocalRound())

    def floor(self) -> None:
        """Forward and backward of the prompted image encoder with ready-made prompts."""
        self.ready_loss(self.images, self.ready).backward()

    def ready_loss(self, images: Tensor, prompts: Tensor) -> Tensor:
        """Cross-entropy with ready-made prompts."""
        features = self.backbone.encode_image(images, {0: prompts}, normalize=True)
        logits = self.backbone.logit_scale * features @ self.shard.task.class_features.T
        return F.cross_entropy(logits, self.labels)

    def released_view(self) -> Tensor:
        """The images or their mirror images: one draw for the batch."""
        return self.images.flip(-1) if torch.rand(()) < MIRRORED else self.images

    def autocast(self) -> torch.autocast:
        """Around the baseline."""
        return self.backbone.autocast()

    def released_step(self) -> None:
        """A step of FedMVP's published code."""
        with self.autocast():
            loss = self.released.fedmvp_loss(*self._seen(), Weights())
        self._stepped(loss)

    def released_capt_step(self) -> None:
        """The same with an attack and CAPT's term."""
        attacked = self.released_attack()
        images, view, labels = self._seen()
        with self.autocast():
            loss = self.released.fedmvp_capt_loss(images, view, labels, attacked, Weights())
        self._stepped(loss)

    def released_attack(self) -> Tensor:
        """PGD as a training loop makes it that has no attack mode."""
        attack = self.config.attack
        start = torch.rand_like(self.images) * 2 - 1
        radius, size = attack_radius(attack), attack_step_size(attack)
        with self.autocast():
            return self.released.attack(
                self.images, self.labels, radius, size, attack.attack_steps, start
            )

    def _seen(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.images, self.released_view(), self.labels

    def _stepped(self, loss: Tensor) -> None:
        training = self.config.training
        optimizer = torch.optim.SGD(
            self.released.net.parameters(), training.learning_rate, training.momentum
        )
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def local(inputs: Inputs) -> Local:
    """Made from the sizes; the frozen work of ours is done, as in the second step of a client."""
    sizes, config = inputs.sizes, inputs.config()
    backbone = inputs.backbone()
    shard = made_shard(sizes.batch, backbone.image_size, sizes.classes, sizes.attributes)
    prepared = prepare_shard(backbone, shard, FeatureCache(None))
    own = find_method(config.with_values(method="fedmvp")).build_prompting(
        backbone, shard.task.class_names
    )
    assert isinstance(own, PromptFormer)
    own.to(backbone.device)
    ready = torch.randn(own.prompt_length, backbone.image_width, device=backbone.device)
    return Local(
        backbone=backbone,
        config=config,
        shard=prepared,
        own=own,
        released=as_released(inputs.backbone("fp32"), own, shard.task),
        images=prepared.images.float() / 255,
        ready=ready.requires_grad_(),
    )
