"""A line for each round in a file of its own."""

from dataclasses import dataclass

from fedmvp_core.config.options import option
from server_app.callbacks import Callback, Event, Run


@dataclass(frozen=True)
class LogOptions:
    """The file."""

    file: str = option("rounds.log", "its name in the run folder")


class RoundLog(Callback):
    """Appends as rounds end."""

    def __init__(self, run: Run, file: str) -> None:
        self.path = run.folder / file

    def round_ended(self, event: Event) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"round {event['round']}\n")


def round_log(run: Run, options: LogOptions) -> Callback:
    """The factory that the entry point names."""
    return RoundLog(run, options.file)
