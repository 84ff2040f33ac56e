"""Which objectives make no sense of a method's module, or of images with several labels."""

from fedmvp_core.errors import ConfigError
from fedmvp_core.objectives import Objective
from fedmvp_core.prompting import Prompting


def check_served(objective: Objective, method: str, prompting: Prompting) -> None:
    """See that a method's module has what an objective asks for, and changes what it holds.

    Raises:
        ConfigError: the module lacks the function that the objective asks for; or it leaves alone
            the features of which the objective says something, which then adds nothing to
            cross-entropy.
    """
    if objective.asks and not hasattr(prompting, objective.asks):
        raise ConfigError(
            f"objective is '{objective.name}', which asks a module for its '{objective.asks}'; "
            f"that of method '{method}', {type(prompting).__name__}, has none"
        )
    changed = {"image": prompting.prompts_images(), "text": prompting.prompts_text()}
    if changed.get(objective.needs, True):
        return
    others = " and ".join(kind for kind, changes in changed.items() if changes) or "no"
    raise ConfigError(
        f"objective is '{objective.name}', which holds {objective.needs} features, but method "
        f"'{method}' changes {others} features alone; allowed with it: objectives of the logits, "
        "such as cross-entropy, at, trades or capt"
    )


def check_labels(objective: Objective, multi_label: bool) -> None:
    """See that an objective has a form for images with several labels, if they may have several.

    Raises:
        ConfigError: it has none.
    """
    if multi_label and not objective.several_labels:
        raise ConfigError(
            f"objective is '{objective.name}', which is for images with one label, but these may "
            "have several; allowed with several labels: cross-entropy, at, trades, capt and others"
        )
