"""A small federation without Flower: one client is attacked, three others train beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from fedmvp_core.aggregation import weighted_mean
from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig, parse_config
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.settings import load_setting
from fedmvp_core.data.shards import Shard
from fedmvp_core.local.model import LocalModel, LocalRound
from fedmvp_core.local.shard import PreparedShard, prepare_shard
from fedmvp_core.methods import ConfiguredMethod, find_method
from fedmvp_core.objectives import Batch
from fedmvp_core.prompting import FULL, Prompting
from fedmvp_core.tasks import Task
from fedmvp_core.training import train_locally
from fedmvp_core.workspace import open_backbone
from simulations.benchmarks.leaks.membership import confidences
from simulations.runner.project import default_config

CLIENTS, CLASSES = 4, 8  # the attacked client has 8 classes, the others 8 more together
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Federation:
    """pool: pictures that the attacked client may hold; others: the shards of the other clients.

    start: what the first round begins with. phase: the one that every client trains in.
    """

    config: RunConfig
    backbone: Backbone
    method: ConfiguredMethod
    prompting: Prompting
    pool: ImageSet
    task: Task
    others: tuple[PreparedShard, ...]
    cache: FeatureCache
    start: dict[str, Tensor]
    phase: str

    def shard(self, chosen: Tensor) -> PreparedShard:
        """The attacked client with these pictures (bool) of the pool, and all of its classes."""
        images = self.pool.select(chosen.nonzero()[:, 0])
        return prepare_shard(self.backbone, Shard(0, images, images, self.task), self.cache)

    def trained(self, received: Tensors, shard: PreparedShard, round: int, seed: int) -> Tensors:
        """What a client sends after its local training: the phase's prompt tensors."""
        self.prompting.load_prompt_tensors(received)
        config = self.config.with_values(seed=seed)
        local = LocalRound(number=round, phase=self.phase, received=received)
        train_locally(self.backbone, self.prompting, self.method, shard, config, local)
        tensors = self.prompting.prompt_tensors()
        return {name: tensors[name] for name in self.prompting.phase_tensors(self.phase)}

    def mean(self, updates: list[Tensors]) -> dict[str, Tensor]:
        """What aggregation makes of updates of clients with as many pictures each."""
        return weighted_mean((update, 1.0) for update in updates)

    @torch.no_grad()
    def confidences(self, tensors: Tensors, shard: PreparedShard) -> Tensor:
        """(pictures,) of a shard, under these prompt tensors."""
        self.prompting.load_prompt_tensors(tensors)
        model = LocalModel(self.backbone, self.prompting, shard)
        return confidences(model.predict(shard.images.float() / 255)[1], shard.labels)

    def gradient(self, pictures: Tensor, labels: Tensor, shard: PreparedShard) -> list[Tensor]:
        """The phase's gradient at the start of one batch of pictures, with its graph.

        pictures: (batch, 3, height, width), in [0, 1]. An attack in training is left out.
        """
        self.prompting.load_prompt_tensors(self.start)
        self.method.begin_phase(self.prompting, self.phase)
        wanted = set(self.prompting.phase_tensors(self.phase))
        trained = [p for n, p in self.prompting.named_parameters() if n in wanted]
        for parameter in trained:
            parameter.requires_grad_()
        # The fused kernels have no second derivative.
        with sdpa_kernel(SDPBackend.MATH):
            model = LocalModel(self.backbone, self.prompting, shard)
            frozen = F.normalize(self.backbone.encode_image(pictures), dim=-1)
            logits = self.backbone.logit_scale * frozen @ shard.task.zero_shot_features.T
            batch = Batch(pictures, labels, frozen, logits, adversarial=pictures)
            loss = self.method.loss()(model, batch).value
            found = torch.autograd.grad(loss, trained, create_graph=True, allow_unused=True)
        return [
            g if g is not None else torch.zeros_like(p) for g, p in zip(found, trained, strict=True)
        ]


def open_federation(method: str, phase: str, local_epochs: int) -> Federation:
    """The federation of a method on EmojiThings and the embedded backbone, on the CPU."""
    words = {"method": method, "device": "cpu", "local-epochs": local_epochs, "batch-size": 6}
    config = parse_config({**default_config(), **words, "rounds": 10, "attack-steps": 1})
    backbone, cache = open_backbone(config.model), FeatureCache(None)
    setting = load_setting(config, backbone.image_size)
    names = setting.train.class_names[: 2 * CLASSES]
    groups = [names[:CLASSES], *(names[CLASSES + i :: CLIENTS - 1] for i in range(CLIENTS - 1))]
    cuts = [_cut(setting.train, group) for group in groups]
    tasks = [setting.make_task(group) for group in groups]
    found = find_method(config)
    prompting = found.build_prompting(backbone, names)
    others = [
        prepare_shard(backbone, Shard(number, cut, cut, task), cache)
        for number, (cut, task) in enumerate(zip(cuts[1:], tasks[1:], strict=True), start=1)
    ]
    federation = Federation(
        config=config,
        backbone=backbone,
        method=found,
        prompting=prompting,
        pool=cuts[0],
        task=tasks[0],
        others=tuple(others),
        cache=cache,
        start=prompting.prompt_tensors(),
        phase=FULL,
    )
    return federation if phase == FULL else _after_a_full_round(federation, phase)


def _after_a_full_round(federation: Federation, phase: str) -> Federation:
    """The federation in a later phase, after the other clients have trained once in the first.

    Untrained prompts are those of the frozen model, in which low-rank factors have no gradient.
    """
    updates = [federation.trained(federation.start, own, 1, 0) for own in federation.others]
    start = {**federation.start, **federation.mean(updates)}
    return replace(federation, start=start, phase=phase)


def _cut(images: ImageSet, names: tuple[str, ...]) -> ImageSet:
    """The images of some classes, whose labels are positions among these."""
    columns = torch.tensor([images.class_names.index(name) for name in names])
    there = torch.isin(images.labels, columns).nonzero()[:, 0]
    chosen = images.select(there)
    labels = (chosen.labels[:, None] == columns).int().argmax(dim=1)
    return chosen.with_labels(labels, names)
