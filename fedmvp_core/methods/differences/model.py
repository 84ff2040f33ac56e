"""Differences of sentences, prompts, attacks and the rest."""

from collections.abc import Sequence

from fedmvp_core.methods.differences.codes import (
    APT,
    AVP,
    CAPT,
    DEEP,
    FAP_LIKE,
    FED_MAPLE,
    FEDMVP,
    HEP,
    ONE_MACHINE,
    OPEN_FED_ML,
    PAFT,
    Difference,
)

MODEL: Sequence[Difference] = (  # --- sentences
    Difference(
        (FEDMVP,),
        "what a class is recognised by",
        "its attribute sentences alone",
        "these by 0.75, its plain sentence by 0.25",
        ("attribute-weight",),
    ),
    Difference(
        (FEDMVP,),
        "words before an attribute",
        "by its first letters: which is angular ears",
        "by its first word: which has angular ears",
    ),
    Difference(
        (FEDMVP,),
        "domains in sentences",
        "a sketch of a dog, which has ... (PACS, OfficeHome, VLCS, DomainNet)",
        "a photo of a dog, which has ..., the same for all domains",
    ),
    Difference(
        (FEDMVP,),
        "attributes that PromptFormer sees",
        "of OfficeHome and TerraIncognita the bare phrases",
        "whole sentences for every data set",
    ),
    Difference(
        (FEDMVP,),
        "long sentences",
        "cut at 77 characters",
        "cut at the text encoder's 77 tokens",
    ),
    Difference(
        (FEDMVP,),
        "ImageNet and EuroSAT",
        "no sentences with attributes: it stops",
        "the default stem; CoOp's satellite template",
    ),
    # --- prompts
    Difference(
        (FEDMVP,),
        "start of PromptFormer",
        "as torch draws it",
        "prompts are copies of the class token",
        ("method.prompt-init",),
    ),
    Difference(
        (*DEEP, FED_MAPLE),
        "start of deep prompts",
        "drawn from N(0, 0.02)",
        "as nearly the frozen model as can be",
        ("method.prompt-init",),
    ),
    Difference((FEDMVP,), "weight alpha of the consistency", "10", "3", ("objective.alpha",)),
    Difference(
        (FEDMVP,),
        "start of LoRA",
        "both factors drawn: a jump at the switch",
        "the second is zero: no jump",
        ("method.lora-init",),
    ),
    Difference(
        (FEDMVP,),
        "trained in the LoRA phase",
        "LoRA, the projection of attributes, and what it fails to freeze",
        "LoRA alone",
    ),
    Difference(
        (FEDMVP,),
        "sent in the LoRA phase",
        "everything",
        "LoRA alone, as the paper counts it",
    ),
    Difference(
        (FEDMVP,),
        "the server's model in the LoRA phase",
        "without LoRA: the switch is not sent",
        "with LoRA",
    ),
    Difference(
        DEEP,
        "a template with fewer words before the class than prompts",
        "not foreseen: its templates have enough",
        "gets placeholders in front",
    ),
    Difference(
        (APT,),
        "words of a class that nobody trained (class-specific)",
        "none: there are no words for them",
        "the mean of the trained classes' words",
    ),
    Difference(
        (PAFT,),
        "start of the linear head",
        "a plain linear layer",
        "the zero-shot classifier",
    ),
    Difference((AVP,), "the frame on test images", "left away", "on every image"),
    # --- attacks
    Difference(
        (APT, PAFT),
        "attack in training",
        "PGD-3, step 2/3 of epsilon",
        "PGD-2, step 2/3 of epsilon",
        ("attack-steps",),
    ),
    Difference(
        FAP_LIKE,
        "attack in training",
        "PGD-2 of 1/255 within 1/255",
        "PGD-2, step 2/3 of epsilon, within 4/255",
        ("epsilon", "attack-step-size"),
    ),
    Difference(
        (*ONE_MACHINE, HEP),
        "attack of the evaluation",
        "PGD-100",
        "PGD-10; step epsilon / 4, as in APT, in both",
        ("robust-steps",),
    ),
    Difference(
        FAP_LIKE,
        "step of the evaluation's attack",
        "1/255, all of epsilon",
        "epsilon / 4, as in APT",
    ),
    Difference(
        (APT, PAFT, HEP),
        "ImageNet under attack",
        "its first 5,000 images",
        "all, or robust-images of them, drawn",
    ),
    Difference(
        (APT, PAFT, HEP),
        "backbone",
        "made robust for the same epsilon",
        "whatever pretrained names",
    ),
    # --- federation
    Difference(
        (FEDMVP,),
        "a client's reply",
        "averaged unseen",
        "checked; one 20 times longer than the round's median is refused (max-update-norm)",
    ),
    # --- not public
    Difference(
        (CAPT,),
        "alpha_cons, lambda, length and depth of prompts, schedule, attack",
        "not public",
        "this project's choices",
    ),
    # --- another code that is called FedMVP
    Difference(
        (OPEN_FED_ML,),
        "what is called FedMVP",
        "one visual prompt from learned class texts, without attributes",
        "PromptFormer, as in FedMVP's paper",
    ),
    Difference(
        (OPEN_FED_ML,),
        "thresholds of CF1 and OF1",
        "the best for each metric on the test images",
        "0.5",
    ),
    Difference((OPEN_FED_ML,), "test images of MLRSNet", "its training images", "its test images"),
    Difference((OPEN_FED_ML,), "order of training images", "as they are read", "drawn each epoch"),
    Difference((OPEN_FED_ML,), "weight of the multi-label loss", "0.02", "1"),
)
