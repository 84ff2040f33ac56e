"""Stay near the frozen model: FedMVP, section 3; also KgCoOp's and CAPT's idea on features."""

from torch import Tensor
from torch.nn import functional as F


def feature_consistency(features: Tensor, frozen_features: Tensor) -> Tensor:
    """Mean of 1 - cos(z_i(x), z_i,frz(x')).

    features, frozen_features: (batch, d). Returns: scalar in [0, 2].
    """
    return (1 - F.cosine_similarity(features, frozen_features, dim=-1)).mean()
