"""What a round leaves in the run folder and in the log."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from flwr.app import Message

from fedmvp_core import protocol
from fedmvp_core.data.shards import client_name
from fedmvp_core.json_logs import logger
from server_app.records.run_folder import RunFolder
from server_app.replies.norms import Refusal
from server_app.replies.reading import FAILED, Checked

_TOLD = 20  # how often at most a round tells how many have answered, however many are asked


def counted(
    folder: RunFolder, round: int, asked: int, replies: Iterable[Message]
) -> Iterator[Message]:
    """The replies, while the run's progress is told how many have come."""
    folder.event("asked", round=round, clients=asked)
    step = max(asked // _TOLD, 1)
    for number, reply in enumerate(replies, start=1):
        yield reply
        if number % step == 0:  # after it was read: what comes lazily is taken when it is asked for
            folder.event("answered", round=round, answered=number, clients=asked)


def tell_refused(folder: RunFolder, round: int, refused: Iterable[Refusal]) -> None:
    """Log replies that do not count, and write them to the run's progress, as they are found."""
    for refusal in refused:
        logger.warning("round %d: reply refused: %s", round, refusal.reason)
        folder.event("refused", round=round, kind=refusal.kind, reason=refusal.reason)


def record_round(
    folder: RunFolder, round: int, checked: Checked, sent: Mapping[int, int], seconds: float
) -> dict[str, float]:
    """Rows for every client that counts, totals of the round, one line of progress.

    sent: bytes to each client that was asked, by partition id. Returns: the totals.
    """
    updates, metrics = checked.updates, checked.reported
    for update, reported in zip(updates, metrics, strict=True):
        split = client_name(update.partition_id)
        for key, value in reported.metrics.items():
            folder.record(round, split, key, value)
        for key, values in reported.steps.items():
            if key != "loss" and values:  # its mean is the train-loss above
                folder.record(round, split, key, sum(values) / len(values))
        folder.append_steps(round, split, reported.steps)
        folder.record(round, split, "bytes-up", reported.bytes_up)
        folder.record(round, split, "bytes-down", sent[update.partition_id])
    losses = [r.metrics[protocol.TRAIN_LOSS] for r in metrics if protocol.TRAIN_LOSS in r.metrics]
    totals = {"loss": sum(losses) / len(losses)} if losses else {}
    totals |= {
        "seconds": seconds,
        "clients": len(updates),
        "failed-clients": len(sent) - len(updates),
        "refused-replies": sum(refusal.kind != FAILED for refusal in checked.refused),
        "bytes-up": sum(reported.bytes_up for reported in metrics),
        "bytes-down": sum(sent.values()),
    }
    kinds = Counter(f"refused-{refusal.kind}" for refusal in checked.refused)
    for metric, value in (totals | kinds).items():
        folder.record(round, "train", metric, value)
    folder.write_metrics()
    shown = {key: value for key, value in totals.items() if key != "failed-clients"}
    folder.event("round", round=round, failed=totals["failed-clients"], **shown)
    loss = f"loss {totals['loss']:.4f}" if losses else "their losses untold"
    logger.info("round %d: %d clients, %s", round, totals["clients"], loss)
    return totals
