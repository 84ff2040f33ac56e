"""From features to logits and probabilities: one class an image, or every class a yes or no.

Of several labels an image each is a yes or no of its own.

CLIP ranks classes against each other; a cosine has no zero that means "not there": with plain
s * cos every label of every image is predicted, and training starts by pushing all of them down.
DualCoOp (Sun et al., NeurIPS 2022) compares, for each class, the image with a positive and a
negative text: softmax over the two, which is the sigmoid of the difference of their logits. Here
the negative is no sentence, since CLIP does not read "without", but what all classes share.

Measured on EmojiScenes' test scenes with the frozen tiny CLIP (72 things, 2.4 of them there, in
percent, threshold 0.5; "labels": predicted for an image):

    negative                                mAP    CF1    OF1    labels
    none: plain s * cos                     6.3    6.8    6.7        60
    "a picture without a {class}."          5.8    7.5    7.2        41
    the mean of the classes' features       7.2    8.0    7.3        38
    "a picture."                            6.2    7.9    7.1        11
    `shared_direction`                      7.5    9.2    8.0        23
    the other classes together (softmax)    7.0    1.5    1.6       0.1
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.prompting import Features
from fedmvp_core.tasks import EncodedTask


def class_logits(features: Features, task: EncodedTask, logit_scale: Tensor) -> Tensor:
    """(batch, classes): CLIP's scaled cosines; for a multi-label task `label_logits`.

    Features that bring logits of their own keep them.
    What all classes of `features` share is their negative, which is why the same class has other
    logits in a task of more classes. For methods that train text it is made of the tuned classes
    and gradients flow through it: what is trained is then what is tested.
    """
    if features.logits is not None:
        return features.logits
    if task.task.multi_label:
        return label_logits(features.image_features, features.class_features, logit_scale)
    return cosine_logits(features, logit_scale)


def probabilities(features: Features, task: EncodedTask, logit_scale: Tensor) -> Tensor:
    """(batch, classes): rows of sum 1; for a multi-label task every label's own probability."""
    logits = class_logits(features, task, logit_scale)
    return logits.sigmoid() if task.task.multi_label else logits.softmax(dim=-1)


def cosine_logits(features: Features, logit_scale: Tensor) -> Tensor:
    """(batch, classes): scaled cosines, by which CLIP ranks classes against each other."""
    return dot_products(logit_scale * features.image_features, features.class_features)


def dot_products(image_features: Tensor, class_features: Tensor) -> Tensor:
    """(batch, classes). image_features: (batch, d). class_features: (classes, d), the same for all
    images, or (batch, classes, d).
    """
    if class_features.ndim == 3:
        return torch.einsum("bd,bcd->bc", image_features, class_features)
    return image_features @ class_features.T


def label_logits(
    image_features: Tensor,
    class_features: Tensor,
    logit_scale: Tensor | float,
    negative_features: Tensor | None = None,
) -> Tensor:
    """s * (cos(image, class) - cos(image, negative)): above 0 a label is predicted.

    image_features: (batch, d), unit. class_features: (classes, d) or (batch, classes, d).
    negative_features: (1, d) for all classes or (classes, d), one for each; by default
    `shared_direction` of the classes. (The plain mean of class_features instead gives cosines
    centred over the classes, which predicts about half of all labels.)

    Returns: (batch, classes). The order of an image's classes is that of the cosines, if there is
    one negative for all of them.
    """
    negative = shared_direction(class_features) if negative_features is None else negative_features
    own = dot_products(image_features, class_features)
    return logit_scale * (own - dot_products(image_features, negative))


def shared_direction(class_features: Tensor) -> Tensor:
    """(1, d), unit: the mean of the classes' features, what "a photo of a ..." says of any of them.

    Of class features of each image's own, (batch, classes, d), it is (batch, 1, d).
    As long as a class feature, it is nearer to an image than most single classes are, but not than
    those in the image. To score subsets of classes alike (seen and unseen ones), take it over all.
    """
    return F.normalize(class_features.mean(dim=-2, keepdim=True), dim=-1)
