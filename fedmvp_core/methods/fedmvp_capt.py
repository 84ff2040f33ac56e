"""FedMVP and CAPT in one: PromptFormer, trained with the objectives of both.

FedMVP (Singha et al., ICCV 2025) gives the prompts, the consistency with the frozen image features
and the LoRA phase; CAPT (arXiv 2405.11154) the attack and the adversarial consistency. With
`coupled-prompts`, CAPT's deep prompts stand beside PromptFormer's.
"""

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.local.attack import pgd_attack
from fedmvp_core.methods import fedmvp
from fedmvp_core.methods.method import ClassNames, Method
from fedmvp_core.objectives.fedmvp_capt import fedmvp_capt_objective
from fedmvp_core.prompting import Prompting
from fedmvp_core.prompting.coupled import build_coupled
from fedmvp_core.prompting.coupled_promptformer import CoupledPromptFormer


def build_prompting(backbone: Backbone, config: RunConfig, class_names: ClassNames) -> Prompting:
    """PromptFormer alone, or beside deep prompts; raises ConfigError as the two do."""
    promptformer = fedmvp.build_promptformer(backbone, config, class_names)
    if not config.model.coupled_prompts:
        return promptformer
    coupled = build_coupled(backbone, config, class_names, config.model.coupling)
    return CoupledPromptFormer(promptformer, coupled)


def begin_phase(prompting: Prompting, phase: str, config: RunConfig) -> None:
    """FedMVP's, for the PromptFormer within."""
    if isinstance(prompting, CoupledPromptFormer):
        prompting = prompting.promptformer
    fedmvp.begin_phase(prompting, phase, config)


method = Method(
    name="fedmvp-capt",
    paper="FedMVP (ICCV 2025) with CAPT (arXiv 2405.11154)",
    prompting=build_prompting,
    objective=fedmvp_capt_objective,
    attack=pgd_attack("ce"),
    next_phase=fedmvp.next_phase,
    begin_phase=begin_phase,
)
