"""What goes with secure aggregation, and why the rest does not."""

from fedmvp_core.config.keys import ABOUT_DATA, FLOAT32, RunConfig
from fedmvp_core.errors import ConfigError

# Aggregations that make of many updates what they make of their weighted mean alone.
OF_THE_MEAN = ("fedavg", "fedprox", "fedavgm", "fedadagrad", "fedadam", "fedyogi")


def check_secure_aggregation(config: RunConfig) -> None:
    """Refuse what has to look at single updates, or would not survive a sum of rounded numbers.

    Raises:
        ConfigError: a key asks for it; the message says why it cannot be had.
    """
    if not config.privacy.secure_aggregation:
        return
    federation, attack = config.federation, config.stress.stress_attack
    single = "the server sees no single update"
    tensors = ("none", *ABOUT_DATA)
    for key, value, allowed, why in (
        ("strategy", federation.strategy, ("",), single),
        ("aggregation", federation.aggregation, OF_THE_MEAN, single),
        ("max-update-norm", federation.max_update_norm, (0,), _NORMS),
        ("wire-dtype", federation.wire_dtype, (FLOAT32,), "masked numbers have no fewer bits"),
        ("privacy", config.privacy.privacy, ("none",), "noise would not be within clipping-norm"),
        ("stress-attack", attack, tensors, "a liar has no unmasked tensor to change"),
    ):
        if value not in allowed:
            shown = ", ".join(str(word) or "''" for word in allowed)
            text = f"{value:g}" if isinstance(value, float) else f"'{value}'"
            raise ConfigError(
                f"{key} is {text} but secure-aggregation is true: {why}; allowed with it: {shown}"
            )
    if config.privacy.secagg_threshold == 1:
        raise ConfigError("secagg-threshold is 1; allowed: 2 or more, or 0 for more than half")


_NORMS = (
    "the server sees no update whose length it could compare with the others'; each client clips "
    "its own to clipping-norm"
)
