"""Messages that Ray lost: the worker that had one, or its whole node, ended.

Flower hands such a message back as an error, keeps the dead worker and gives it the next messages,
which fail at once. So it says nothing of the client, and no later round could be trusted.
"""

from flwr.app import Message

from fedmvp_core.errors import FedMVPError

# Flower begins the reason with the type of the error. That of a client's own is RayTaskError(...).
_OF_RAY, _OF_A_CLIENT = "<class 'ray.exceptions.", "<class 'ray.exceptions.RayTaskError"
_CAUSES = ("The actor is dead because", "The actor died", "Task was killed", "The worker died")
_MOST_LETTERS = 300


class WorkerLostError(FedMVPError):
    """The engine lost clients that it was to play; new workers can play the round again."""


def check_worker(reply: Message, doing: str) -> None:
    """Raise WorkerLostError if the reply is an error that says that the client's worker ended.

    doing: what the worker was to do, such as "in round 3".
    """
    if not reply.has_error():
        return
    reason = reply.error.reason or ""
    if not reason.startswith(_OF_RAY) or reason.startswith(_OF_A_CLIENT):
        return
    raise WorkerLostError(
        f"{doing} a worker of Ray ended before it answered ({_cause(reason)}); go on from the last "
        "checkpoint with resume=latest"
    )


def _cause(reason: str) -> str:
    lines = [" ".join(line.split()) for line in reason.replace("\\n", "\n").splitlines()]
    told = [line for line in lines for start in _CAUSES if line.startswith(start)]
    words = told[-1] if told else reason.removeprefix(_OF_RAY).partition("'>")[0]
    return words[:_MOST_LETTERS].rstrip("'>. ")
