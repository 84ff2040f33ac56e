"""Which tensors travel between server and clients, and which of them in a phase.

Those are the prompt tensors but for a client's personal ones, and what client terms exchange, such
as SCAFFOLD's control variates. Both sides find them here, so that their schemas are the same.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting import Prompting
from fedmvp_core.terms.term import ConfiguredTerm, exchanged_name, exchanged_tensors


def travelling_tensors(
    prompting: Prompting, terms: Sequence[ConfiguredTerm] = ()
) -> dict[str, Tensor]:
    """Name -> tensor on the CPU, as the module has it now and as the terms begin, in a fixed order.

    Raises:
        ConfigError: a module calls a tensor personal that it does not have.
    """
    tensors, personal = prompting.prompt_tensors(), prompting.personal_tensors()
    unknown = sorted(set(personal) - set(tensors))
    if unknown:
        raise ConfigError(
            f"{type(prompting).__name__} calls {', '.join(unknown)} personal; its prompt tensors "
            f"are {', '.join(tensors)}"
        )
    shared = {name: value for name, value in tensors.items() if name not in personal}
    return {**shared, **exchanged_tensors(terms, shared)}


def sent_in(prompting: Prompting, terms: Sequence[ConfiguredTerm], phase: str) -> tuple[str, ...]:
    """Names of the tensors that a client sends after a round in a phase."""
    personal = set(prompting.personal_tensors())
    names = [name for name in prompting.phase_tensors(phase) if name not in personal]
    tensors = dict(prompting.named_parameters())
    trained = {name: tensors[name] for name in names}
    return (*names, *(exchanged_name(t, n) for t, _ in terms for n in t.exchanged(trained)))


def kept_by_clients(prompting: Prompting, config: RunConfig) -> str:
    """What a reader of a run's tables should know of personal tensors; "" where there are none."""
    names, federation = prompting.personal_tensors(), config.federation
    if not names:
        return ""
    sentence = (
        f"clients keep {', '.join(names)} of method '{config.model.method}' to themselves, so "
        "that all but clients test what they began as"
    )
    if not config.evaluation.fraction_evaluate:
        return f"{sentence}; fraction-evaluate above 0 measures clients with what they keep"
    if federation.fraction_train < 1:
        return f"{sentence}, and so are clients measured that have not trained yet"
    return sentence


def prompt_part(tensors: Mapping[str, Tensor], prompting: Prompting) -> dict[str, Tensor]:
    """Those of some travelling tensors that are the module's own."""
    own = {name for name, _ in prompting.named_parameters()}
    return {name: value for name, value in tensors.items() if name in own}
