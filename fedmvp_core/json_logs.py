"""Logs as JSON lines: one object for each record, for machines that collect logs.

Each line holds `time` (ISO 8601, UTC), `level`, `logger`, `message`, `exception` (a traceback)
where there is one, and what `note` was told: the run's name, a client's partition id, the round.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from fedmvp_core.config import RunSection

Fact = str | int

# Of both apps, below Flower's own logger, since `flwr run --stream` shows no other.
logger = logging.getLogger("flwr.fedmvp")

# Of this process, which is the server, or plays one client after another.
_facts: dict[str, Fact] = {}
# Of one of several clients that this process plays at once, over those of the process.
_own_facts: ContextVar[dict[str, Fact] | None] = ContextVar("own_facts", default=None)


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON."""

    def __init__(self, facts: Mapping[str, Fact]) -> None:
        super().__init__()
        self._facts = facts

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": time,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage().strip(),
            **self._facts,
            **(_own_facts.get() or {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def note(**facts: Fact) -> None:
    """What holds from now on for every line of this process, such as `note(round=3)`.

    Inside `noting_apart` it is for the lines of that block alone.
    """
    own = _own_facts.get()
    (_facts if own is None else own).update({n.replace("_", "-"): v for n, v in facts.items()})


@contextmanager
def noting_apart() -> Iterator[None]:
    """Inside the block, and in no other thread, `note` adds to what the process has noted."""
    before = _own_facts.set({})
    try:
        yield
    finally:
        _own_facts.reset(before)


def use_json_lines(*loggers: str) -> None:
    """Let these loggers write JSON lines to standard error, and nothing else.

    Their handlers are replaced; records with an empty message, with which Flower spaces its own
    log, are left out. Calling it again changes nothing.
    """
    for name in loggers:
        logger = logging.getLogger(name)
        if any(isinstance(handler.formatter, JsonLines) for handler in logger.handlers):
            continue
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines(_facts))
        handler.setLevel(min((h.level for h in logger.handlers), default=logging.NOTSET))
        handler.addFilter(_says_something)
        logger.handlers[:] = [handler]
        logger.propagate = False


def _says_something(record: logging.LogRecord) -> bool:
    return bool(record.getMessage().strip())


def follow_config(run: RunSection, **facts: Fact) -> None:
    """Name the run in every line from now on; JSON lines, Flower's own too, if log-format says so.

    facts: what else every line of this process is to hold, such as client=3.
    """
    note(run_name=run.run_name, **facts)
    if run.log_format == "json":
        use_json_lines("flwr", "fedmvp_core")
