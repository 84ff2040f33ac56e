"""Differences of schedules, clients and their pictures."""

from collections.abc import Sequence

from fedmvp_core.methods.differences.codes import (
    APT,
    AVP,
    COOP_LIKE,
    DEEP,
    DUAL_COOP,
    FAP_LIKE,
    FED_APT,
    FED_CLIP,
    FED_KEEP,
    FED_MGP,
    FED_MPT,
    FED_OTP,
    FED_PGP,
    FEDMVP,
    FEDTPG,
    ONE_MACHINE,
    PAFT,
    POSITIVE_COOP,
    PROMPTFL,
    Difference,
)

TRAINING: Sequence[Difference] = (
    # --- schedule
    Difference((FEDMVP,), "rounds", "100", "10", ("rounds",)),
    Difference((FEDMVP,), "learning rate", "0.003", "0.3", ("learning-rate",)),
    Difference((FEDMVP,), "batch size", "128", "36", ("batch-size",)),
    Difference((FEDMVP,), "shots", "8 of a class", "every image", ("shots",)),
    Difference(
        (FEDMVP, *ONE_MACHINE),
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
    Difference(DEEP, "learning rate", "0.0035", "0.3", ("learning-rate",)),
    Difference(DEEP, "batch size", "4", "36", ("batch-size",)),
    Difference((AVP,), "learning rate", "40", "0.3", ("learning-rate",)),
    Difference(
        (APT, *FAP_LIKE),
        "shots",
        "16 of a class, drawn from the whole data set",
        "every image",
        ("shots", "shot-sampling"),
    ),
    Difference(
        ONE_MACHINE,
        "clients",
        "none: trained on one machine",
        "as many as the run has; --supernodes 1 is one machine",
    ),
    Difference(
        COOP_LIKE,
        "pictures in training",
        "cropped at random and mirrored",
        "as they are read, so that frozen features are encoded once",
        ("augmentation",),
    ),
    Difference(
        COOP_LIKE,
        "what is cropped",
        "the whole picture, as large as it is",
        "its middle square, as the backbone sees it",
    ),
    Difference(
        (DUAL_COOP,),
        "pictures in training",
        "squeezed into a square, a part blanked out, RandAugment",
        "as they are read",
    ),
    Difference(
        (PROMPTFL,), "rounds", "20, of 5 local epochs", "10, of one", ("rounds", "local-epochs")
    ),
    Difference((PROMPTFL,), "learning rate", "0.001", "0.3", ("learning-rate",)),
    Difference((PROMPTFL,), "batch size", "32", "36", ("batch-size",)),
    Difference((FEDTPG,), "rounds", "500", "10", ("rounds",)),
    Difference((FEDTPG,), "learning rate", "0.003", "0.3", ("learning-rate",)),
    Difference((FEDTPG,), "batch size", "200", "36", ("batch-size",)),
    Difference((FEDTPG,), "shots", "8 of a class", "every image", ("shots",)),
    Difference((FED_CLIP,), "rounds", "300", "10", ("rounds",)),
    Difference((FED_CLIP,), "batch size", "32", "36", ("batch-size",)),
    Difference(
        (FED_CLIP,),
        "optimiser",
        "Adam, 5e-5, betas 0.9 and 0.98, weight decay 0.2",
        "SGD as every method here",
    ),
    Difference((FED_OTP,), "learning rate", "0.001", "0.3", ("learning-rate",)),
    Difference(
        (FED_OTP, FED_PGP), "weights of the mean", "images of a client", "equal", ("weighting",)
    ),
    Difference((FED_MGP,), "local epochs", "2", "1", ("local-epochs",)),
    Difference((FED_MGP,), "learning rate", "0.001", "0.3", ("learning-rate",)),
    Difference((FED_MGP,), "batch size", "8", "36", ("batch-size",)),
    Difference(
        (FED_MGP,),
        "sign of the diversity term",
        "its l1 form brings groups together",
        "groups are pushed apart, as the paper means it",
    ),
    Difference((DUAL_COOP,), "epochs or rounds", "50", "10", ("rounds",)),
    Difference((DUAL_COOP,), "learning rate", "0.001 (VOC 2007)", "0.3", ("learning-rate",)),
    Difference((DUAL_COOP,), "batch size", "32", "36", ("batch-size",)),
    Difference(
        (DUAL_COOP, POSITIVE_COOP), "regions", "a ResNet's, at 448 pixels", "a ViT's patches"
    ),
    Difference((FED_MPT,), "learning rate", "0.001", "0.3", ("learning-rate",)),
    Difference(
        (FED_MPT,),
        "transport, gate and adapters",
        "left out of the code",
        "as the paper tells of them",
    ),
    Difference((FED_APT,), "formulae, sizes, schedule", "not public", "this project's choices"),
    Difference((FED_KEEP,), "paper", "none", "this project's own method"),
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
)
