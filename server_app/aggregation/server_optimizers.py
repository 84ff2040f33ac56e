"""Server optimisers: the mean difference of the updates is a gradient to an optimiser of its own.

All are Flower's own classes. Client learning rates (`eta-l`) matter to FedOpt's theory only; Flower
takes and does not use them, so they are no options here. Two things are Flower's and not those of
Reddi et al.'s algorithm 2: v begins at 0 instead of tau squared, and FedAdam corrects its learning
rate for the bias of its moments as Adam does, with t + 1 in place of the round t.
"""

from dataclasses import dataclass

from flwr.serverapp.strategy import FedAdagrad, FedAdam, FedAvgM, FedYogi, QFedAvg

from fedmvp_core import protocol
from fedmvp_core.config.options import Annotated, Between, option
from server_app.aggregation.flower_rule import flower_rule
from server_app.aggregation.updates import Aggregation


@dataclass(frozen=True)
class FedAvgMOptions:
    """SGD with momentum on the server."""

    server_learning_rate: Annotated[float, Between(0)] = option(1.0, "of the server's step")
    server_momentum: Annotated[float, Between(0, 1)] = option(0.9, "0 and a rate of 1 are FedAvg")


@dataclass(frozen=True)
class FedAdagradOptions:
    """The server's step."""

    eta: Annotated[float, Between(0)] = option(0.1, "the server's learning rate")
    tau: Annotated[float, Between(1e-12)] = option(1e-3, "adaptivity: added to the root of v")


@dataclass(frozen=True)
class FedAdamOptions(FedAdagradOptions):
    """And its moments."""

    beta_1: Annotated[float, Between(0, 1)] = option(0.9, "decay of the mean gradient")
    beta_2: Annotated[float, Between(0, 1)] = option(0.99, "decay of the squared gradient")


@dataclass(frozen=True)
class QFedAvgOptions:
    """Fairness."""

    q: Annotated[float, Between(0)] = option(0.1, "0 is FedAvg; more weighs clients of high loss")
    client_learning_rate: Annotated[float, Between(1e-12)] = option(
        0.1, "the inverse of the Lipschitz constant that the paper assumes"
    )


fedavgm = Aggregation(
    "fedavgm",
    "FedAvgM (Hsu et al., 2019)",
    flower_rule(
        lambda o: FedAvgM(
            server_learning_rate=o.server_learning_rate, server_momentum=o.server_momentum
        )
    ),
    FedAvgMOptions,
)
fedadagrad = Aggregation(
    "fedadagrad",
    "FedAdagrad (Reddi et al., ICLR 2021)",
    flower_rule(lambda o: FedAdagrad(eta=o.eta, tau=o.tau)),
    FedAdagradOptions,
)
fedadam = Aggregation(
    "fedadam",
    "FedAdam (Reddi et al., ICLR 2021)",
    flower_rule(lambda o: FedAdam(eta=o.eta, beta_1=o.beta_1, beta_2=o.beta_2, tau=o.tau)),
    FedAdamOptions,
)
fedyogi = Aggregation(
    "fedyogi",
    "FedYogi (Reddi et al., ICLR 2021)",
    flower_rule(lambda o: FedYogi(eta=o.eta, beta_1=o.beta_1, beta_2=o.beta_2, tau=o.tau)),
    FedAdamOptions,
)
qfedavg = Aggregation(
    "qfedavg",
    "q-FedAvg (Li et al., ICLR 2020)",
    flower_rule(
        lambda o: QFedAvg(
            client_learning_rate=o.client_learning_rate,
            q=o.q,
            train_loss_key=protocol.TRAIN_LOSS,
        )
    ),
    QFedAvgOptions,
)
