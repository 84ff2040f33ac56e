"""Jobs in lock step: what several of them ask for at the same time is answered in one piece.

Each job runs in a thread of its own, but never two at once. A job goes on until it asks or ends.
When all that are left have asked, the most urgent requests are answered, those of one kind
together, and their jobs go on one after the other. So results depend on the jobs alone.
"""

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from threading import Semaphore, Thread
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """What a job asks for.

    urgency: the lowest goes first; others wait until nobody asks for it any more. kind: requests of
    equal kind are answered together. answer: takes what they hold, returns as many answers.
    """

    urgency: int
    kind: Hashable
    answer: Callable[[list[Any]], Sequence[Any]]
    what: Any


class _GivenUp(BaseException):
    """Unwinds a job whose answer will never come; no job catches it."""


class _Member(Generic[T]):
    """One job and its thread.

    takes_part: whether its calls wait for those of the others. request: what it waits for. waited:
    seconds in which it stood still for the others.
    """

    def __init__(self, job: Callable[[], T]) -> None:
        self.takes_part, self.waited = False, 0.0
        self.request: Request | None = None
        self.result: T
        self._job = job
        self._error: BaseException | None = None
        self._answer: Callable[[], Any] | None = None
        self._given_up, self._share = False, 0.0
        self._go, self._back = Semaphore(0), Semaphore(0)
        self._thread = Thread(target=copy_context().run, args=(self._play,), daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        """Let the job run until it asks or ends; raises what it raised."""
        self._go.release()
        self._back.acquire()
        if self._error is not None:
            raise self._error

    def take(self, answer: Callable[[], Any], share: float) -> None:
        """The answer to its request, or what raises the error. share: its seconds of the work."""
        self.request, self._answer, self._share = None, answer, share

    def give_up(self) -> None:
        """Let a job that waits, or will, unwind."""
        self._given_up = True
        self._go.release()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def ask(self, request: Request) -> Any:
        """Called by the job."""
        began = time.perf_counter()
        self.request = request
        self._back.release()
        self._go.acquire()
        if self._given_up or self._answer is None:
            raise _GivenUp
        self.waited += time.perf_counter() - began - self._share
        return self._answer()

    def _play(self) -> None:
        _member.set(self)
        self._go.acquire()
        try:
            if not self._given_up:
                self.result = self._job()
        except _GivenUp:
            pass
        except BaseException as error:
            self._error = error
        finally:
            self._back.release()


_member: ContextVar["_Member[Any] | None"] = ContextVar("member", default=None)


def play(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Run the jobs in lock step; their results, in their order.

    Raises:
        BaseException: what the first job to fail raised, or an interrupt. The other jobs unwind
            before.
    """
    members = [_Member(job) for job in jobs]
    try:
        for member in members:
            member.go_on()
        while waiting := [m for m in members if m.request is not None]:
            first = min(m.request.urgency for m in waiting if m.request)
            chosen = [m for m in waiting if m.request and m.request.urgency == first]
            _answer(chosen)
            for member in chosen:
                member.go_on()
        return [member.result for member in members]
    finally:
        for member in members:
            member.give_up()
        for member in members:
            member.join()


def _answer(members: Sequence[_Member[Any]]) -> None:
    """Answer the requests of some members, those of one kind together."""
    kinds: dict[Hashable, list[tuple[_Member[Any], Request]]] = {}
    for member in members:
        if member.request is not None:
            kinds.setdefault(member.request.kind, []).append((member, member.request))
    for group in kinds.values():
        began = time.perf_counter()
        answers = _answers([request for _, request in group])
        share = (time.perf_counter() - began) / len(group)
        for (member, _), answer in zip(group, answers, strict=True):
            member.take(answer, share)


def _answers(requests: Sequence[Request]) -> Sequence[Callable[[], Any]]:
    """What returns each answer; an error is everybody's who asked."""
    try:
        found = requests[0].answer([request.what for request in requests])
    except Exception as error:
        failed = error

        def fail() -> None:
            raise failed

        return [fail] * len(requests)
    return [lambda answer=answer: answer for answer in found]  # type: ignore[misc]


@contextmanager
def taking_part() -> Iterator[None]:
    """Inside the block this job's calls wait for those of the others; outside it runs alone."""
    member = _member.get()
    if member is None:
        yield
        return
    member.takes_part = True
    try:
        yield
    finally:
        member.takes_part = False


def takes_part() -> bool:
    """Whether this code runs in a job in lock step, inside `taking_part`."""
    member = _member.get()
    return member is not None and member.takes_part


def ask(request: Request) -> Any:
    """The answer to a request of the job that this code runs in; `takes_part()` must hold.

    Raises:
        Exception: what the answer raised.
    """
    member = _member.get()
    assert member is not None
    return member.ask(request)


def own_seconds() -> float:
    """A clock that stands still while this job waits for others; joint work counts in shares."""
    member = _member.get()
    return time.perf_counter() - (0.0 if member is None else member.waited)
