"""Requests to end: raised as KeyboardInterrupt, and held back during clean-up."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_REQUESTS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def requests_as_interrupts() -> Iterator[None]:
    """A request to end (`kill`, a closed terminal) raises KeyboardInterrupt, as Ctrl-C does."""
    with _handlers(_REQUESTS, _raise):
        yield


@contextmanager
def no_interrupts() -> Iterator[None]:
    """Nothing but SIGKILL interrupts the block, which must be short."""
    with _handlers((signal.SIGINT, *_REQUESTS), signal.SIG_IGN):
        yield


@contextmanager
def _handlers(signals: tuple[signal.Signals, ...], handler: Any) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers, and only it is interrupted
        return
    before = {sign: signal.signal(sign, handler) for sign in signals}
    try:
        yield
    finally:
        for sign, old in before.items():
            signal.signal(sign, old)


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
