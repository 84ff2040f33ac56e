"""What a backbone is and how its weights were read, in words."""

from fedmvp_core.backbone import Backbone


def backbone_facts(loaded: Backbone, name: str, pretrained: str) -> list[tuple[str, str]]:
    """(what, value), one fact each. name, pretrained: as a run's configuration has them."""
    numbers = sum(weight.numel() for weight in loaded.parameters())
    return [
        ("backbone", f"{name}, {pretrained or 'random weights or its own'}, {numbers:,} numbers"),
        ("hash", loaded.weights_hash),
        ("activation", str(loaded.activation)),
        *(("weights", note) for note in loaded.notes),
        ("images", f"{loaded.image_size} pixels, patches of {loaded.patch_size}"),
        ("sentences", f"{loaded.context_length} tokens"),
        ("features", f"{loaded.embed_dim} numbers, logit scale {float(loaded.logit_scale):g}"),
    ]
