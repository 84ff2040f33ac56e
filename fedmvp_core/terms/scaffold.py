"""SCAFFOLD: Stochastic Controlled Averaging for Federated Learning (Karimireddy et al., ICML 2020).

Every step's gradient is corrected by c - c_i: the server's control variate less the client's own.
The correction is the gradient of the penalty <c - c_i, w>. After its steps a client sets

    c_i+ = mean of its own gradients        (the paper's option II, written for any optimiser)

and sends c + share * (c_i+ - c_i), whose mean over the cohort is the server's next c, with
share = |cohort| / |clients|. A client alone has c = c_i, and trains as without the term.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from fedmvp_core.config.options import Annotated, Between, option
from fedmvp_core.local.model import LocalModel
from fedmvp_core.terms.term import ClientTerm, Finished, Tensors


@dataclass(frozen=True)
class ScaffoldOptions:
    """What the server knows of a cohort."""

    share: Annotated[float, Between(0, 1)] = option(1.0, "of the clients that a round asks")


def control_variates(tensors: Tensors) -> dict[str, Tensor]:
    """Zeros, shaped as the prompt tensors: c, and each client's c_i."""
    return {name: torch.zeros_like(value) for name, value in tensors.items()}


def penalty(options: ScaffoldOptions, model: LocalModel) -> Tensor:
    """<c - c_i, w> over the prompt tensors that are trained and travel: a scalar."""
    of_server, own = model.round.exchanged["scaffold"], model.round.kept["scaffold"]
    trained = model.trained()
    parts = [((of_server[n] - own[n]) * trained[n]).sum() for n in trained if n in of_server]
    return torch.stack(parts).sum() if parts else model.classes.new_zeros(())


def finish(options: ScaffoldOptions, end: Finished) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What goes back to the server, and the client's new c_i, of the tensors that were trained."""
    sent, kept = dict(end.exchanged), dict(end.kept)
    for name, gradient in end.gradients.items():
        if name not in sent:  # a personal tensor
            continue
        of_server, own = end.exchanged[name].double(), end.kept[name].double()
        mine = (gradient.double() - (of_server - own)).to(gradient.dtype)
        # c + share * (c_i+ - c_i) in an order that gives c_i+ to the last bit where c = c_i.
        rest = of_server - options.share * own
        sent[name] = (rest + options.share * mine.double()).to(gradient.dtype)
        kept[name] = mine
    return sent, kept


term = ClientTerm(
    "scaffold",
    "SCAFFOLD (ICML 2020)",
    penalty,
    ScaffoldOptions,
    exchanged=control_variates,
    kept=control_variates,
    finish=finish,
)
