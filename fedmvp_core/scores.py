"""From features to logits and probabilities: one class an image, or every class a yes or no."""

from torch import Tensor

from fedmvp_core.objectives.label_logits import label_logits
from fedmvp_core.prompting import Features
from fedmvp_core.tasks import EncodedTask


def scores(features: Features, task: EncodedTask, logit_scale: Tensor) -> Tensor:
    """(batch, classes): CLIP's scaled cosines; for a multi-label task `label_logits`.

    What all classes of `features` share is their negative, which is why the same class has other
    logits in a task of more classes. For methods that train text it is made of the tuned classes
    and gradients flow through it: what is trained is then what is tested.
    """
    if task.task.multi_label:
        return label_logits(features.image_features, features.class_features, logit_scale)
    return features.logits(logit_scale)


def probabilities(features: Features, task: EncodedTask, logit_scale: Tensor) -> Tensor:
    """(batch, classes): rows of sum 1; for a multi-label task every label's own probability."""
    logits = scores(features, task, logit_scale)
    return logits.sigmoid() if task.task.multi_label else logits.softmax(dim=-1)
