"""FedKeep: learn the trained classes, keep the new ones. This project's own method.

Tuning takes trained classes and pays with new ones: the same prompts serve both. FedKeep keeps
them apart: a row of numbers moves the text of each trained class, deep image prompts show images as
trained classes need them, and both are trained on adversarial images. New classes are left to the
frozen model, image and text. See ClassMemory, which also says how rows are averaged.
"""

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.methods.method import Method
from fedmvp_core.prompting.class_memory import ClassMemoryOptions


def check(options: ClassMemoryOptions, config: RunConfig) -> None:
    """Raises ConfigError with differential privacy, whose noise the quotient would blow up."""
    if config.privacy.privacy != "none":
        raise ConfigError(
            f"privacy is '{config.privacy.privacy}', but fedkeep divides what is averaged by what "
            "clients say of the classes they hold; allowed with it: none, or another method"
        )


method = Method(
    name="fedkeep",
    paper="this project's own",
    prompting="class-memory",
    objective="adversarial",
    options=ClassMemoryOptions,
    check=check,
)
