"""What Flower hands back when Ray lost a worker is told from what a client died of."""

import pytest
from federation_harness import error_reply, set_identity
from flwr.app import Error, Message, MessageType, RecordDict

from server_app.replies.lost_workers import WorkerLostError, check_worker
from server_app.replies.reading import read_evaluation

# As Flower 1.41 on Ray 2.55 makes them: the type of the error, then its words.
NODE_DIED = (
    "<class 'ray.exceptions.ActorDiedError'>:<'The actor died unexpectedly before finishing this "
    "task.\n\tclass_name: ClientAppActor\n\tactor_id: ff\nThe actor died because its node has "
    "died. Node Id: 04c6cad5'>"
)
CLIENT_RAISED = (
    "<class 'ray.exceptions.RayTaskError(ClientAppException)'>:<'ray::ClientAppActor.run()\nThe "
    "actor died'>"
)


def reply(reason: str) -> Message:
    set_identity()
    asked = Message(RecordDict(), dst_node_id=1, message_type=MessageType.TRAIN)
    return Message(Error(code=0, reason=reason), reply_to=asked)


def test_a_lost_worker_ends_the_round_with_a_sentence() -> None:
    sentence = "in round 3 a worker of Ray ended before it answered .*its node has died.*resume="
    with pytest.raises(WorkerLostError, match=sentence):
        check_worker(reply(NODE_DIED), "in round 3")
    with pytest.raises(WorkerLostError, match="ActorUnavailableError"):
        check_worker(reply("<class 'ray.exceptions.ActorUnavailableError'>:<'?'>"), "in round 3")
    with pytest.raises(WorkerLostError, match="in an evaluation"):
        read_evaluation(reply(NODE_DIED))


@pytest.mark.parametrize("reason", [CLIENT_RAISED, "node gone", ""])
def test_what_a_client_died_of_is_the_clients(reason: str) -> None:
    check_worker(reply(reason), "in round 3")
    check_worker(error_reply(reply(reason), "The actor died"), "in round 3")
