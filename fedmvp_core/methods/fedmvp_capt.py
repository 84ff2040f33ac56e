"""FedMVP and CAPT in one: PromptFormer, trained with the objectives of both.

FedMVP (Singha et al., ICCV 2025) gives the prompts, the consistency with the frozen image features
and the LoRA phase; CAPT (arXiv 2405.11154) the attack and the adversarial consistency. With
`coupled-prompts`, CAPT's deep prompts stand beside PromptFormer's.
"""

from dataclasses import dataclass

from fedmvp_core.methods import fedmvp
from fedmvp_core.methods.fedmvp import FedMVPOptions
from fedmvp_core.methods.method import Method
from fedmvp_core.prompting import Prompting
from fedmvp_core.prompting.coupled_promptformer import (
    CoupledPromptFormer,
    CoupledPromptFormerOptions,
)


@dataclass(frozen=True)
class FedMVPCAPTOptions(FedMVPOptions, CoupledPromptFormerOptions):
    """FedMVP's, and CAPT's for deep prompts beside PromptFormer's."""


def begin_phase(prompting: Prompting, phase: str, options: FedMVPCAPTOptions, seed: int) -> None:
    """FedMVP's, for the PromptFormer within."""
    if isinstance(prompting, CoupledPromptFormer):
        prompting = prompting.promptformer
    fedmvp.begin_phase(prompting, phase, options, seed)


method = Method(
    name="fedmvp-capt",
    paper="FedMVP (ICCV 2025) with CAPT (arXiv 2405.11154)",
    prompting="coupled-promptformer",
    objective="fedmvp-capt",
    options=FedMVPCAPTOptions,
    phases=fedmvp.phases,
    next_phase=fedmvp.next_phase,
    begin_phase=begin_phase,
    check=fedmvp.check,
    published=fedmvp.PUBLISHED,  # of its FedMVP half; CAPT's values are not public
)
