"""What differs from each method's released code, one row for each difference.

The one source of the table in docs/methods.md and of what `fedmvp run ... protocol=published
--dry-run` prints.
"""

from collections.abc import Sequence
from typing import NamedTuple

FEDMVP, APT, FAP, AVP, MAPLE = "FedMVP", "APT", "FAP", "AVP", "AdvMaPLe"
PAFT, CAPT, HEP, OPEN_FED_ML = "PAFT", "CAPT", "HEP", "OpenFedML"
# Method -> whose codes it is compared with, by their names in the table.
CODES: dict[str, tuple[str, ...]] = {
    "fedmvp": (FEDMVP, OPEN_FED_ML),
    "fedmvp-capt": (FEDMVP, CAPT, OPEN_FED_ML),
    "capt": (CAPT,),
    "adv-maple": (MAPLE,),
    "fap": (FAP,),
    "apt": (APT,),
    "avp": (AVP,),
    "paft": (PAFT,),
    "zs-clip": (),
    "hep": (HEP,),
}
SET, STAYS = "as released", "stays"


class Difference(NamedTuple):
    """codes: whose released code it is about. there, here: what it does, and what this project
    does by default. keys: of `Method.published`, which make it as released; (): it stays.
    """

    codes: tuple[str, ...]
    what: str
    there: str
    here: str
    keys: tuple[str, ...] = ()

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        """As a table has it: code, what, there, here, with protocol=published."""
        with_protocol = SET if self.keys else STAYS
        return (", ".join(self.codes), self.what, self.there, self.here, with_protocol)


HEADINGS = ("released code", "what", "there", "here", "protocol=published")
_FAP_LIKE = (FAP, AVP, MAPLE)
_DEEP = (FAP, MAPLE)
_ONE_MACHINE = (APT, FAP, AVP, MAPLE, PAFT)

DIFFERENCES: Sequence[Difference] = (
    # --- schedule
    Difference((FEDMVP,), "rounds", "100", "10", ("rounds",)),
    Difference((FEDMVP,), "learning rate", "0.003", "0.3", ("learning-rate",)),
    Difference((FEDMVP,), "batch size", "128", "36", ("batch-size",)),
    Difference((FEDMVP,), "shots", "8 of a class", "every image", ("shots",)),
    Difference(
        (FEDMVP, *_ONE_MACHINE),
        "optimiser",
        "one, with its momentum, for all rounds or epochs",
        "a new one in each round",
        ("keep-momentum",),
    ),
    Difference(
        (FEDMVP,),
        "steps of a round",
        "one, on the last batch: the step stands outside the loop over batches",
        "one for each batch",
    ),
    Difference((FEDMVP,), "arithmetic", "half precision", "float32, or bf16 on CUDA"),
    Difference((APT,), "epochs or rounds", "50 in its example", "10", ("rounds",)),
    Difference((APT,), "learning rate", "0.002", "0.3", ("learning-rate",)),
    Difference((APT,), "batch size", "32", "36", ("batch-size",)),
    Difference(
        (APT,), "warm-up", "the first epoch at 1e-5", "none", ("warmup-rounds", "warmup-rate")
    ),
    Difference(_DEEP, "learning rate", "0.0035", "0.3", ("learning-rate",)),
    Difference(_DEEP, "batch size", "4", "36", ("batch-size",)),
    Difference((AVP,), "learning rate", "40", "0.3", ("learning-rate",)),
    Difference(
        (APT, *_FAP_LIKE),
        "shots",
        "16 of a class, drawn from the whole data set",
        "every image",
        ("shots", "shot-sampling"),
    ),
    Difference(
        _ONE_MACHINE,
        "clients",
        "none: trained on one machine",
        "as many as the run has; --supernodes 1 is one machine",
    ),
    Difference(
        (APT,),
        "pictures in training",
        "cropped at random and mirrored",
        "as they are read, so that frozen features are encoded once",
    ),
    Difference((PAFT,), "schedule", "not known", "this project's"),
    # --- clients and their pictures
    Difference(
        (FEDMVP,),
        "cut into clients",
        "20 classes to each, the rest to the last",
        "the same where the number of clients is FedMVP's, equal parts elsewhere",
        ("partition.cut",),
    ),
    Difference(
        (FEDMVP,),
        "which images are the shots, and the order of batches",
        "one global random state, drawn from by whatever runs",
        "generators of the seed, the round and the client",
    ),
    Difference(
        (FEDMVP,),
        "order of the classes",
        "that of the attribute file, where a class may be missing",
        "the data set's own; a class without attributes is an error",
    ),
    # --- sentences
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
        _DEEP,
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
        _DEEP,
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
        _FAP_LIKE,
        "attack in training",
        "PGD-2 of 1/255 within 1/255",
        "PGD-2, step 2/3 of epsilon, within 4/255",
        ("epsilon", "attack-step-size"),
    ),
    Difference(
        (*_ONE_MACHINE, HEP),
        "attack of the evaluation",
        "PGD-100",
        "PGD-10; step epsilon / 4, as in APT, in both",
        ("robust-steps",),
    ),
    Difference(
        _FAP_LIKE,
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


def differences_of(method: str) -> list[Difference]:
    """The rows about a method's codes, then all others."""
    own = set(CODES.get(method, ()))
    return sorted(DIFFERENCES, key=lambda row: not own & set(row.codes))
