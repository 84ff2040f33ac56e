"""FedKgCoOp: CoOp's learned words, held to the hand-written template, averaged over clients.

KgCoOp (Yao et al., CVPR 2023), federated in the experiments of FedTPG (Qiu et al., ICLR 2024).
Fixed by the public code: 4 words for all classes, N(0, 0.02) at the start, a weight of 8, an
unweighted mean.
"""

from dataclasses import dataclass
from typing import Annotated

from fedmvp_core.config.options import Between, option
from fedmvp_core.methods.method import Method
from fedmvp_core.methods.schedules import FEDTPG
from fedmvp_core.prompting.text_context import TextContextOptions


@dataclass(frozen=True)
class FedKgCoOpOptions(TextContextOptions):
    """The words', of which there are 4."""

    context_length: Annotated[int, Between(1, 64)] = option(4, "number of learned words")


method = Method(
    name="fedkgcoop",
    paper="FedKgCoOp: KgCoOp (CVPR 2023) as in FedTPG (ICLR 2024)",
    prompting="text-context",
    objective="fedkgcoop",
    options=FedKgCoOpOptions,
    published=FEDTPG,
    reads_attributes=False,
)
