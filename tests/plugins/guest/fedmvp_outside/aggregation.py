"""Flower's FedAdam with a beta of its own."""

from dataclasses import dataclass

from flwr.serverapp.strategy import FedAdam

from fedmvp_core.config.options import Annotated, Between, option
from server_app.aggregation import Aggregation, flower_rule


@dataclass(frozen=True)
class GuestAdamOptions:
    """The first moment's decay."""

    beta: Annotated[float, Between(0, 0.999)] = option(0.9, "decay of the mean gradient")


guest_fedadam = Aggregation(
    "guest-fedadam",
    "FedAdam (Reddi et al., ICLR 2021)",
    flower_rule(lambda options: FedAdam(eta=0.01, beta_1=options.beta)),
    GuestAdamOptions,
)
