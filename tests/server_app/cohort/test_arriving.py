"""Replies of Flower's own grids are fetched while they arrive."""

from collections.abc import Iterable

import pytest
from federation_harness import SerialGrid, set_identity
from flwr.app import Message, MessageType, RecordDict
from flwr.serverapp import Grid

from server_app.cohort import arriving as module
from server_app.cohort.arriving import ArrivingGrid, arriving


class SlowGrid(SerialGrid):
    """Nodes that answer when so many looks have been taken at their message; None: never."""

    def __init__(self, looks: list[int | None]) -> None:
        self.looks, self.pulls, self.pushed = looks, 0, []

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        self.pushed = list(messages)
        for number, message in enumerate(self.pushed):
            message.metadata.__dict__["_message_id"] = str(number)
        return [message.metadata.message_id for message in self.pushed]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        self.pulls += 1
        found = []
        for number in map(int, message_ids):
            left = self.looks[number]
            if left == 0:
                found.append(Message(RecordDict(), reply_to=self.pushed[number]))
            self.looks[number] = None if left is None else left - 1
        return found


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)
    set_identity()


def messages(count: int) -> list[Message]:
    return [
        Message(RecordDict(), dst_node_id=i + 1, message_type=MessageType.TRAIN)
        for i in range(count)
    ]


def answered(replies: Iterable[Message]) -> list[str]:
    return [reply.metadata.reply_to_message_id for reply in replies]


def test_each_reply_comes_once_when_it_is_there() -> None:
    grid = ArrivingGrid(SlowGrid([2, 0, 0, 1, 0, 3]))
    assert answered(grid.send_and_receive(messages(6))) == ["1", "2", "4", "3", "0", "5"]


def test_few_are_fetched_at_a_time() -> None:
    slow = SlowGrid([0] * 9)
    replies = iter(ArrivingGrid(slow).send_and_receive(messages(9)))
    assert len(slow.pushed) == 9
    next(replies)
    assert slow.pulls == 1
    assert len(list(replies)) == 8
    assert slow.pulls == 3


def test_after_the_deadline_those_that_are_there_are_taken_and_no_others() -> None:
    grid = ArrivingGrid(SlowGrid([0, None, 0]))
    assert answered(grid.send_and_receive(messages(3), timeout=0.0)) == ["0", "2"]


def test_other_grids_are_left_as_they_are() -> None:
    grid: Grid = SlowGrid([])
    assert arriving(grid) is grid
