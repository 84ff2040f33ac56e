"""Cross-entropy on clean images alone: L = CE(p(x), y), as CoOp and PromptFL train."""

from fedmvp_core.config.options import NoOptions
from fedmvp_core.local.model import LocalModel
from fedmvp_core.objectives.objective import Batch, Loss, LossFunction, Objective


def cross_entropy(options: NoOptions) -> LossFunction:
    """The run's `multi-label-loss` where images have several labels."""

    def loss(model: LocalModel, batch: Batch) -> Loss:
        _, logits = model.predict(batch.images)
        return Loss(model.classification_loss(logits, batch.labels), {})

    return loss


objective = Objective(
    "cross-entropy", "CoOp (IJCV 2022), PromptFL (TMC 2023)", cross_entropy, reads=()
)
