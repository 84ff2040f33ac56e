"""What server and clients of a test exchange: the tensors of a module that has two phases."""

from collections.abc import Sequence

from fedmvp_core.exchange import travelling_tensors
from fedmvp_core.prompting import FULL, Prompting
from fedmvp_core.prompting.promptformer import LORA
from server_app.strategy import Exchange


def exchange_of(prompting: Prompting, class_names: Sequence[str]) -> Exchange:
    """An exchange without client terms; the phases are those of FedMVP."""
    return Exchange(prompting, travelling_tensors(prompting), (FULL, LORA), class_names)
