"""Several runs of a suite at once, each in a process of its own, by the inline engine."""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from rich.console import Console

from fedmvp_core.errors import ConfigError, FedMVPError
from fedmvp_core.run_folder import FAILED, INTERRUPTED
from simulations.runner.planning import INLINE, Plan

Ended = tuple[str, str]  # a status, and a sentence about what went wrong or ""
_PARENT_LOOKS = 2.0  # seconds between two looks whether the parent is still there


@dataclass(frozen=True)
class Task:
    """`work` returns how it ended; it is pickled, and so is what it is made of."""

    name: str
    work: Callable[[], Ended]


@dataclass(frozen=True)
class _Running:
    task: Task
    process: BaseProcess
    answers: Connection
    began: float


def check_engine(plans: Sequence[Plan], jobs: int) -> None:
    """Raises ConfigError: several jobs, but an engine that has processes of its own."""
    for plan in plans if jobs > 1 else ():
        if plan.engine != INLINE:
            raise ConfigError(
                f"jobs is {jobs}, but {plan.config.run.run_name} has engine '{plan.engine}', which "
                f"plays clients side by side itself; allowed: engine '{INLINE}', or jobs 1"
            )


def side_by_side(console: Console, tasks: Sequence[Task], jobs: int) -> list[Ended]:
    """Do the tasks, so many at once; each is told when it begins and ends.

    An interrupt is passed on to those that run, once, and the others do not begin. Returns: how
    each ended, in the order of the tasks.
    """
    context = multiprocessing.get_context("spawn")
    ended: dict[str, Ended] = {}
    running: list[_Running] = []
    left = list(tasks)

    def begin(task: Task) -> None:
        answers, told = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(task.work, told, os.getpid()))
        process.start()
        told.close()
        running.append(_Running(task, process, answers, time.monotonic()))
        console.print(f"starting {task.name}", soft_wrap=True, highlight=False)

    def end(one: _Running) -> None:
        running.remove(one)
        status, sentence = ended[one.task.name] = _answer_of(one)
        seconds = time.monotonic() - one.began
        words = f"{one.task.name}: {status} after {seconds:.0f} s"
        console.print(f"{words}: {sentence}" if sentence else words, soft_wrap=True, markup=False)

    try:
        while left or running:
            while left and len(running) < jobs:
                begin(left.pop(0))
            ready = wait([one.process.sentinel for one in running])
            for one in [one for one in running if one.process.sentinel in ready]:
                end(one)
    except KeyboardInterrupt:
        for one in running:
            os.kill(one.process.pid or 0, signal.SIGINT)
        for one in list(running):
            one.process.join()
            end(one)
    return [ended.get(task.name, (INTERRUPTED, "")) for task in tasks]


def _answer_of(one: _Running) -> Ended:
    """What the process said; one that said nothing was killed, or fell over."""
    try:
        found: Ended = one.answers.recv()
    except EOFError:
        return FAILED, f"its process ended with code {one.process.exitcode}"
    return found


def _child(work: Callable[[], Ended], told: Connection, parent: int) -> None:
    """In a session of its own: an interrupt at the terminal reaches the parent alone."""
    os.setsid()
    # A shell's background job ignores it, and so would this process, which its parent interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    import torch

    torch.set_num_threads(1)
    try:
        answer = work()
    except KeyboardInterrupt:
        answer = INTERRUPTED, ""
    except FedMVPError as error:
        answer = FAILED, str(error)
    except Exception:
        answer = FAILED, traceback.format_exc()
    told.send(answer)


def _end_with(parent: int) -> None:
    """Interrupt this process when its parent is gone."""
    while os.getppid() == parent:
        time.sleep(_PARENT_LOOKS)
    os.kill(os.getpid(), signal.SIGINT)
