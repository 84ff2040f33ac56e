"""Evaluations are read with the same care as updates (test_federation.py has the latter)."""

import pytest
from federation_harness import error_reply, set_identity
from flwr.app import Message, MessageType, MetricRecord, RecordDict

from fedmvp_core import wire
from fedmvp_core.errors import WireError
from server_app.replies import read_evaluation


def asked() -> Message:
    set_identity()
    return Message(RecordDict(), dst_node_id=1, message_type=MessageType.EVALUATE)


def evaluation(right: float, images: float) -> Message:
    metrics = MetricRecord({wire.CORRECT: right, wire.NUM_EXAMPLES: images})
    return Message(RecordDict({wire.METRICS: metrics}), reply_to=asked())


def test_an_evaluation_is_right_answers_of_images() -> None:
    assert read_evaluation(evaluation(3, 7)) == (3, 7)


@pytest.mark.parametrize(("right", "images"), [(8, 7), (-1, 7), (0.5, 7), (float("nan"), 7)])
def test_impossible_counts_are_refused(right: float, images: float) -> None:
    with pytest.raises(WireError, match="a client"):
        read_evaluation(evaluation(right, images))


def test_errors_and_empty_replies_are_refused() -> None:
    with pytest.raises(WireError, match="out of memory"):
        read_evaluation(error_reply(asked(), "out of memory"))
    with pytest.raises(WireError, match="lacks metrics"):
        read_evaluation(Message(RecordDict(), reply_to=asked()))
