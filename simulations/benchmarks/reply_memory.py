"""What a round's replies take of the server's memory, by cohort and aggregation. Linux only.

    python -m simulations.benchmarks.reply_memory [--clients 8 64] [--numbers 281088]
                                                  [--aggregations fedavg fedmedian krum]

Replies arrive one after the other; they are checked, compared and aggregated as in a run. Printed
is how far the memory of the process rises above what it was before the round.
"""

import argparse
import ctypes
import gc
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from flwr.app import (
    ArrayRecord,
    ConfigRecord,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
)
from flwr.supercore.task_identity import TaskIdentity
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.config import parse_config
from fedmvp_core.seeding import generator
from server_app.aggregation import ConfiguredAggregation, UpdatesFile
from server_app.replies.reading import REPORTED, Asked, read_updates
from simulations.runner.project import default_config

PHASE, IMAGES, ROUND = "all", 16, 1
_TENSORS = 8  # of equal sizes
_OWN = Path("/proc/self")


def main() -> None:
    """Print a line for each aggregation and cohort."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--numbers", type=int, default=281_088)
    parser.add_argument("--aggregations", nargs="+", default=["fedavg", "fedmedian", "krum"])
    options = parser.parse_args()
    for aggregation in options.aggregations:
        play_round(aggregation, 4, options.numbers)  # what is made once is made
        for clients in options.clients:
            rise = peak_of(aggregation, clients, options.numbers)
            print(f"{aggregation}: {clients} clients of {options.numbers:,} numbers: {rise:.1f} MB")


def peak_of(aggregation: str, clients: int, numbers: int) -> float:
    """MB that the process takes at most in a round, above what it held before."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    (_OWN / "clear_refs").write_text("5")  # the peak begins anew
    before = _kilobytes("VmRSS")
    play_round(aggregation, clients, numbers)
    return (_kilobytes("VmHWM") - before) / 1024


def play_round(aggregation: str, clients: int, numbers: int) -> dict[str, Tensor]:
    """What the aggregation makes of the replies of so many clients."""
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    current = {f"prompt-{i}": torch.zeros(numbers // _TENSORS) for i in range(_TENSORS)}
    asked = Asked(
        round=ROUND,
        nodes={client: client + 1 for client in range(clients)},
        tensors=current,
        phases={},
        method_phases=(PHASE,),
        phase_tensors=lambda phase: tuple(current),
        metrics=REPORTED,
        most_images={},
        longest=20.0,
    )
    rule = ConfiguredAggregation(parse_config({**default_config(), "aggregation": aggregation}))
    with tempfile.TemporaryDirectory() as folder, UpdatesFile(Path(folder)) as kept:
        checked = read_updates(arriving_replies(current, clients), asked, kept)
        assert len(checked.updates) == clients, checked.refused
        return rule.rule()(checked.updates, current)


def arriving_replies(current: Mapping[str, Tensor], clients: int) -> Iterator[Message]:
    """Sound replies, each made when it is asked for, the last client's first."""
    for client in reversed(range(clients)):
        draw = generator(1, "reply", client)
        moved = {n: torch.randn(t.shape, generator=draw) for n, t in current.items()}
        metrics: dict[str, int | float | list[float]] = dict.fromkeys(REPORTED, 0.5)
        metrics |= {protocol.PARTITION_ID: client, protocol.NUM_EXAMPLES: IMAGES}
        metrics |= {protocol.PHASE_NUMBER: 0}
        facts: dict[str, str | int] = {
            protocol.SCHEMA: protocol.schema_hash(current),
            protocol.PHASE: PHASE,
            protocol.ROUND: ROUND,
        }
        content = RecordDict(
            {
                protocol.PROMPTS: ArrayRecord(moved),
                protocol.METRICS: MetricRecord(dict(metrics)),
                protocol.CONFIG: ConfigRecord(dict(facts)),
            }
        )
        sent = Message(RecordDict(), dst_node_id=client + 1, message_type=MessageType.TRAIN)
        yield Message(content, reply_to=sent)


def _kilobytes(key: str) -> int:
    lines = (_OWN / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


if __name__ == "__main__":
    main()
