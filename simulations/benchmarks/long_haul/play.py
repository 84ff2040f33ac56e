"""One long federation of a trivial method, whose clients crash and lie as the seed says.

    python -m simulations.benchmarks.long_haul.play FOLDER NAME CLIENTS ROUNDS

Whatever becomes of the server, the clients give the same answers: which of them crash in a round
follows from the seed, the round and the client. A run that is there already is taken up.
"""

import os
import sys
from pathlib import Path

import torch
from flwr.app import Context, Message, MessageType
from flwr.clientapp.typing import ClientAppCallable

from client_app.node import read_node
from client_app.requests import SENDER, config_of
from fedmvp_core import protocol
from fedmvp_core.config import RunConfig, Scalar, parse_config
from fedmvp_core.run_folder import COMPLETED
from fedmvp_core.seeding import generator
from simulations.bench.scale import trivial_run
from simulations.runner import inline

CRASHING, LYING = 0.05, 0.05  # of the clients, in each round and for good
CRASH = "this client crashed on purpose"
SEED = 1
WORDS: dict[str, Scalar] = {
    "seed": SEED,
    "aggregation": "fedtrimmedavg",
    "stress-attack": "sign-flip",
    "stress-fraction": LYING,
    "shots": 0,
    "resume": "latest",
    "on-too-few": "repeat",
}


def crashes(round: int, partition_id: int) -> bool:
    """Whether a client crashes in a round."""
    draw = generator(SEED, "a client's crash", round, partition_id)
    return float(torch.rand(1, generator=draw)) < CRASHING


def crashing(app: ClientAppCallable) -> ClientAppCallable:
    """The ClientApp, which in some rounds trains and then raises instead of answering."""

    def answer(message: Message, context: Context) -> Message:
        reply = app(message, context)
        if message.metadata.message_type == MessageType.TRAIN:
            holding = read_node(context.node_config, context.run_config)[1]
            round = protocol.integer(config_of(message), protocol.ROUND, SENDER)
            if crashes(round, holding.partition_id):
                raise RuntimeError(CRASH)
        return reply

    return answer


def long_config(folder: Path, name: str, clients: int, rounds: int) -> RunConfig:
    """The configuration of a run in FOLDER, beside whose name its pictures and backbone lie."""
    places: dict[str, Scalar] = {"run-name": name, "min-clients": max(1, clients // 2)}
    return parse_config(trivial_run(folder, rounds) | WORDS | places)


def main() -> None:
    """Play or take up one run; the exit code is 0 if it completed."""
    folder, name, clients, rounds = sys.argv[1:]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    config = long_config(Path(folder), name, int(clients), int(rounds))
    inline.client_app = crashing(inline.client_app)  # type: ignore[assignment]
    outcome = inline.run_inline(config, int(clients), lambda event: None)
    print(outcome.status, outcome.error or "", flush=True)
    sys.exit(outcome.status != COMPLETED)


if __name__ == "__main__":
    main()
