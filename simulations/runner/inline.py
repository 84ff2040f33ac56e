"""The engine without processes: server and clients play in this process, one client after another.

With `clients-per-batch` several clients of a round train at once, in lock step.

The same ServerApp and ClientApp as on Ray; messages pass through an in-process Grid. There is no
SuperLink, no Ray and one backbone, so a small federation takes what its arithmetic takes. It ends
in the bits of the run on Ray.
"""

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from flwr.app import Context, Error, Message, MessageType, RecordDict
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from client_app import worker
from client_app.app import app as client_app
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import FedMVPError
from fedmvp_core.json_logs import noting_apart
from fedmvp_core.lockstep.jobs import play as play_together
from fedmvp_core.run_folder import APP_LOG
from server_app.app import main as server_app
from simulations.runner.claimed_folder import EventTail
from simulations.runner.simulate import OnEvent, RunOutcome, conducted

FIRST_NODE = 1000  # node ids are no partition ids
RUN_ID = 1


class InlineGrid(Grid):
    """Plays every supernode of a simulation in this process.

    heard: called after each reply.
    """

    def __init__(
        self, config: RunConfig, clients: int, heard: Callable[[], None] = lambda: None
    ) -> None:
        self.clients, self.heard = clients, heard
        self.at_once = config.federation.clients_per_batch
        self.contexts = {FIRST_NODE + i: client_context(config, i, clients) for i in range(clients)}
        self._unanswered: dict[str, Message] = {}
        self._pushed = 0

    def get_node_ids(self) -> Iterable[int]:
        return list(self.contexts)

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """The answers, in the order of the messages; a client answers when its reply is taken."""
        return self._then_heard(self.answer_all(list(messages)))

    def _then_heard(self, replies: Iterable[Message]) -> Iterator[Message]:
        for reply in replies:
            yield reply
            self.heard()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        pushed = []
        for message in messages:
            message_id = f"message-{self._pushed}"
            message.metadata.__dict__["_message_id"] = message_id  # as Flower's grids do
            self._unanswered[message_id] = message
            self._pushed += 1
            pushed.append(message_id)
        return pushed

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        arrived = [self._unanswered.pop(i) for i in message_ids if i in self._unanswered]
        return self._then_heard(self.answer_all(arrived))

    def answer_all(self, messages: Sequence[Message]) -> Iterator[Message]:
        """Let each message's client answer it, one after the other or `clients-per-batch` at once.

        Those at once train in lock step, and their images go through the backbone together.
        """
        for batch in batches(messages, self.at_once):
            if len(batch) == 1:
                yield self.answer(batch[0])
            else:
                yield from play_together([partial(self._answer_apart, one) for one in batch])

    def _answer_apart(self, message: Message) -> Message:
        with noting_apart():
            return self.answer(message)

    def answer(self, message: Message) -> Message:
        """What the ClientApp answers; an exception becomes an error reply, as with Flower."""
        try:
            return client_app(message, self.contexts[message.metadata.dst_node_id])
        except Exception as error:  # as Flower does
            if not isinstance(error, FedMVPError):
                logging.getLogger("flwr").error("ClientApp raised: %s", traceback.format_exc())
            return error_reply(message, str(error))

    # --- the rest of Grid's face, which the apps do not use

    def set_run(self, run: Run) -> None:
        raise RuntimeError("an inline run has no Flower run")

    @property
    def run(self) -> Run:
        raise RuntimeError("an inline run has no Flower run")

    def create_message(self, *args: Any, **kwargs: Any) -> Message:
        raise RuntimeError("messages are made by their constructor")


def batches(messages: Sequence[Message], size: int) -> Iterator[Sequence[Message]]:
    """Runs of up to `size` messages to train, each of another client's; others stand alone."""
    batch: list[Message] = []
    for message in messages:
        trains = message.metadata.message_type == MessageType.TRAIN
        known = {other.metadata.dst_node_id for other in batch}
        if batch and (len(batch) == size or not trains or message.metadata.dst_node_id in known):
            yield batch
            batch = []
        if trains:
            batch.append(message)
        else:
            yield [message]
    if batch:
        yield batch


def client_context(config: RunConfig, partition_id: int, clients: int) -> Context:
    """A new supernode's context."""
    node = {"partition-id": partition_id, "num-partitions": clients}
    return _context(config, FIRST_NODE + partition_id, node)


def _context(config: RunConfig, node_id: int, node_config: Mapping[str, int]) -> Context:
    return Context(
        run_id=RUN_ID,
        node_id=node_id,
        node_config=dict(node_config),
        state=RecordDict(),
        run_config=dict(config.as_mapping()),
    )


def error_reply(message: Message, reason: str) -> Message:
    """What Flower sends when a client raised."""
    code = ErrorCode.CLIENT_APP_RAISED_EXCEPTION
    return Message(Error(code=code, reason=reason), reply_to=message)


def set_identity() -> None:
    """What Flower sets in every app process; without it no Message can be built."""
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = RUN_ID, 1, 1


def play(config: RunConfig, grid: Grid) -> None:
    """Run the ServerApp against a grid; the run folder is what it leaves."""
    set_identity()
    server_app(grid, _context(config, 1, {}))


def run_inline(config: RunConfig, supernodes: int, on_event: OnEvent) -> RunOutcome:
    """Run and wait, in this process; Ctrl-C ends the run in order and is an outcome.

    Args and Raises: as `run_simulation`, without resources.
    """

    def drive(folder: Path) -> str:
        tail = EventTail(folder)

        def heard() -> None:
            for event in tail.new_events():
                on_event(event)

        worker.forget()
        with logged_to(folder / APP_LOG):
            try:
                play(config, InlineGrid(config, supernodes, heard))
            except Exception as error:
                # A mendable error's sentence is in the run folder by now.
                return str(error) if isinstance(error, FedMVPError) else traceback.format_exc()
            finally:
                heard()
        return ""

    return conducted(config, supernodes, on_event, drive)


@contextmanager
def logged_to(path: Path) -> Iterator[None]:
    """Inside the block Flower's logger and ours write to a file instead of the terminal."""
    logger = logging.getLogger("flwr")
    before, handler = list(logger.handlers), logging.FileHandler(path, encoding="utf-8")
    told_root = logger.propagate
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logger.handlers[:] = [handler]
    logger.propagate = False  # whose handler prints, over the bars of the run
    try:
        yield
    finally:
        logger.handlers[:] = before
        logger.propagate = told_root
        with suppress(OSError):  # of a full disk, on which the last lines found no room
            handler.close()
