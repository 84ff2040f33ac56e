"""Evaluations are read with the same care as updates (test_federation.py has the latter)."""

import pytest
from federation_harness import error_reply, set_identity
from flwr.app import Error, Message, MessageType, MetricRecord, RecordDict
from flwr.clientapp.client_app import ClientAppException

from fedmvp_core import protocol
from fedmvp_core.errors import WireError
from server_app.replies.checks import cause_of
from server_app.replies.reading import read_evaluation


def asked() -> Message:
    set_identity()
    return Message(RecordDict(), dst_node_id=1, message_type=MessageType.EVALUATE)


def evaluation(value: float, images: float, metric: str = "accuracy") -> Message:
    metrics = MetricRecord({metric: value, protocol.NUM_EXAMPLES: images})
    return Message(RecordDict({protocol.METRICS: metrics}), reply_to=asked())


@pytest.mark.parametrize("metric", ["accuracy", "map"])
def test_an_evaluation_is_a_headline_of_images(metric: str) -> None:
    assert read_evaluation(evaluation(0.25, 7, metric)) == (metric, 0.25, 7)


@pytest.mark.parametrize(
    ("value", "images"), [(1.25, 7), (-1.0, 7), (0.5, 7.5), (0.5, -1), (float("nan"), 7)]
)
def test_impossible_values_are_refused(value: float, images: float) -> None:
    with pytest.raises(WireError, match="a client"):
        read_evaluation(evaluation(value, images))


def test_another_metric_is_refused() -> None:
    with pytest.raises(WireError, match="a client: 'accuracy'"):
        read_evaluation(evaluation(0.5, 7, "recall"))


def test_errors_and_empty_replies_are_refused() -> None:
    with pytest.raises(WireError, match="out of memory"):
        read_evaluation(error_reply(asked(), "out of memory"))
    with pytest.raises(WireError, match="lacks metrics"):
        read_evaluation(Message(RecordDict(), reply_to=asked()))


def test_what_a_client_died_of_is_told_without_the_traceback_around_it() -> None:
    raised = f"run() (pid=1)\n  File 'ray_actor.py', line 65\n{ClientAppException('no such file')}"
    assert cause_of(Error(0, f"<class 'RayTaskError'>:<'{raised}'>")) == "no such file"
    assert cause_of(Error(0, "node gone")) == "node gone"
    assert cause_of(Error(0)) == "no reason"
