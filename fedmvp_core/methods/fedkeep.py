"""FedKeep: learn the trained classes, keep the new ones. This project's own method.

Tuning takes trained classes and pays with new ones: the same prompts serve both. FedKeep keeps
them apart: a row of numbers moves the text of each trained class, deep image prompts show images as
trained classes need them, and both are trained on adversarial images. New classes are left to the
frozen model, image and text. See ClassMemory, which also says how rows are averaged.
"""

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.methods.method import Method
from fedmvp_core.prompting import Prompting
from fedmvp_core.prompting.class_memory import ClassMemory, ClassMemoryOptions


def begin_phase(prompting: Prompting, phase: str, options: ClassMemoryOptions, seed: int) -> None:
    """What was averaged becomes rows again."""
    assert isinstance(prompting, ClassMemory)
    prompting.settle()


def check(options: ClassMemoryOptions, config: RunConfig) -> None:
    """Raises ConfigError where rows may not be averaged over the clients that hold their class.

    Differential privacy's noise would be blown up by the quotient; under secure aggregation a row
    of a class that one client holds would be that client's alone.
    """
    if options.average_over == "all":
        return
    sentence = f"average-over is '{options.average_over}' but "
    if config.privacy.privacy != "none":
        raise ConfigError(
            f"{sentence}privacy is '{config.privacy.privacy}', whose noise would be divided by "
            "what clients say of the classes they hold; allowed with it: all"
        )
    if config.privacy.secure_aggregation:
        raise ConfigError(
            f"{sentence}secure-aggregation is true, and the row of a class that one client holds "
            "would be that client's alone; allowed with it: all"
        )


method = Method(
    name="fedkeep",
    paper="this project's own",
    prompting="class-memory",
    objective="adversarial",
    options=ClassMemoryOptions,
    begin_phase=begin_phase,
    check=check,
)
