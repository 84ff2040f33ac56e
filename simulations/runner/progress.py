"""Shows a run while it goes on: a live table on a terminal, one line for each round elsewhere."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from fedmvp_core.config import RunConfig

Event = Mapping[str, Any]
_SHOWN_EVALUATIONS = 12
_PACE_SECONDS = 3600  # of which the time left is told: a round may take many minutes


@contextmanager
def shown_progress(console: Console, config: RunConfig) -> Iterator[Callable[[Event], None]]:
    """A function to give events to, which shows them on `console` inside the block."""
    if not console.is_terminal:
        yield PlainLines(console, config).on_event
        return
    view = LiveTable(config)
    with Live(view.render(), console=console, refresh_per_second=4, get_renderable=view.render):
        yield view.on_event


class PlainLines:
    """One line for each round, with the accuracies if the model was evaluated after it.

    What an attack left has a line of its own: an attack may take longer than the round.
    """

    def __init__(self, console: Console, config: RunConfig) -> None:
        self._console = console
        self._config = config
        self._held: str | None = None

    def on_event(self, event: Event) -> None:
        """Print what the event completes."""
        kind = event.get("event")
        if kind == "evaluation" and self._held is not None:
            self._line(f"{self._held}  {measured(event)}")
            self._held = None
            self._announce(event)
            return
        self._release()
        if kind == "starting":
            self._line(f"starting {event['run']}: {event['method']}, {event['clients']} clients")
        elif kind == "warning":
            self._line(f"mind: {event['text']}")
        elif kind == "start":
            numbers = f"{event['prompt-numbers']:,} trainable numbers"
            self._line(f"{event['rounds']} rounds, {event['clients']} clients, {numbers}")
        elif kind == "resume":
            self._line(f"resumed after round {event['round']}")
        elif kind == "round":
            self._held = round_words(event, self._config.federation.rounds)
            if not self._is_evaluated(int(event["round"])):
                self._release()
        elif kind == "evaluation":
            self._line(f"round {event['round']}  {measured(event)}")
            self._announce(event)
        elif kind == "robust-evaluation":
            number = round_number(event, self._config.federation.rounds) if event["round"] else "0"
            self._line(f"round {number}  {event['attack']}  {accuracies(event['accuracy'])}")

    def _announce(self, event: Event) -> None:
        """Say why nothing is seen for a while after the last round."""
        if attacks_all(event, self._config):
            self._line("attacking all test images")

    def _is_evaluated(self, number: int) -> bool:
        return (
            number == self._config.federation.rounds
            or number % self._config.evaluation.evaluate_every == 0
        )

    def _release(self) -> None:
        if self._held is not None:
            self._line(self._held)
            self._held = None

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


class LiveTable:
    """The evaluations so far, clean and robust side by side, above two bars.

    One is over the clients that a round asked, the other over the rounds, each with the time left.
    clock: tells seconds.
    """

    def __init__(self, config: RunConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clean: dict[int, Mapping[str, float]] = {}
        self._robust: dict[int, Mapping[str, float]] = {}
        self._attack, self._metric = "", "accuracy"
        self._warnings: list[Text] = []
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            speed_estimate_period=_PACE_SECONDS,
            get_time=clock,
        )
        self._clients = self._progress.add_task("", total=1, words="", visible=False)
        self._task = self._progress.add_task(
            config.run.run_name, total=config.federation.rounds, words=""
        )

    def on_event(self, event: Event) -> None:
        """Take the event up; the next refresh shows it."""
        kind = event.get("event")
        if kind == "starting":
            words = f"starting {event['clients']} clients"
            self._progress.update(self._task, words=words)
        elif kind == "warning":
            self._warnings.append(Text(f"mind: {event['text']}", style="yellow"))
        elif kind == "start":
            words = f"{event['clients']} clients"
            # The time left is told from the rounds' own pace, not from that of the start.
            self._progress.reset(self._task, total=event["rounds"], words=words)
        elif kind == "resume":
            self._progress.update(self._task, completed=event["round"], words="resumed")
        elif kind == "asked":
            words, total = f"round {event['round']}", event["clients"]
            self._progress.reset(
                self._clients, total=total, visible=True, description=words, words="clients"
            )
        elif kind == "answered":
            self._progress.update(self._clients, completed=event["answered"])
            so_far = event["round"] - 1 + event["answered"] / event["clients"]
            self._progress.update(self._task, completed=so_far)
        elif kind == "round":
            words = f"{clients_words(event)}{loss_words(event)}"
            self._progress.update(self._task, completed=event["round"], words=words)
            self._progress.update(self._clients, visible=False)
        elif kind == "evaluation":
            self._clean[int(event["round"])] = event["accuracy"]
            self._metric = event.get("metric", self._metric)
            if attacks_all(event, self._config):
                self._progress.update(self._task, words="attacking all test images")
        elif kind == "robust-evaluation":
            self._robust[int(event["round"])] = event["accuracy"]
            self._attack = str(event["attack"])

    def render(self) -> RenderableType:
        """The table and the bar."""
        every = [*self._clean.values(), *self._robust.values()]
        if not every:
            return Group(*self._warnings, self._progress)
        table = Table(box=None, pad_edge=False)
        table.add_column("round", justify="right")
        splits = list(dict.fromkeys(split for values in every for split in values))
        for split in splits:
            table.add_column(split, justify="right")
        for number in sorted({*self._clean, *self._robust})[-_SHOWN_EVALUATIONS:]:
            table.add_row(str(number), *(self._cell(number, split) for split in splits))
        # Not as the table's caption, which would be broken to its width.
        plain = [self._metric] if self._metric != "accuracy" else []
        caption = [f"clean {self._metric} / {self._attack}"] if self._attack else plain
        return Group(*self._warnings, table, *map(Text, caption), self._progress)

    def _cell(self, number: int, split: str) -> str:
        """`71.2 %`, or `71.2 / 33.1 %` once the run is attacked; what was not measured is `-`."""
        clean = self._clean.get(number, {}).get(split)
        robust = self._robust.get(number, {}).get(split)
        if not self._attack:
            return "" if clean is None else percent(clean)
        both = ("-" if value is None else f"{100 * value:.1f}" for value in (clean, robust))
        return f"{' / '.join(f'{value:>4}' for value in both)} %"


def round_words(event: Event, rounds: int) -> str:
    """`round  3/20  6 clients  loss 0.812  2.1 s`."""
    number, seconds = round_number(event, rounds), f"{event['seconds']:.1f} s"
    return f"round {number}  {clients_words(event)}{loss_words(event)}  {seconds}"


def loss_words(event: Event) -> str:
    """The mean loss, unless the clients keep it to themselves."""
    return f"  loss {event['loss']:.3f}" if "loss" in event else ""


def round_number(event: Event, rounds: int) -> str:
    """` 3/20`."""
    return f"{event['round']:>{len(str(rounds))}}/{rounds}"


def attacks_all(event: Event, config: RunConfig) -> bool:
    """Whether an evaluation is the last, which an attack on all images follows."""
    return (
        config.evaluation.robust_attack != "none"
        and int(event["round"]) == config.federation.rounds
    )


def clients_words(event: Event) -> str:
    """`6 clients`, or `5 clients (1 failed)`."""
    failed = f" ({event['failed']} failed)" if event.get("failed") else ""
    return f"{event['clients']} clients{failed}"


def measured(event: Event) -> str:
    """`local 71.2 %`, or `map  all 31.0 %` where it is not the accuracy."""
    metric, values = event.get("metric", "accuracy"), accuracies(event["accuracy"])
    return values if metric == "accuracy" else f"{metric}  {values}"


def accuracies(values: Mapping[str, float]) -> str:
    """`local 71.2 %  base 70.0 %`."""
    return "  ".join(f"{split} {percent(value)}" for split, value in values.items())


def percent(fraction: float) -> str:
    """`71.2 %` for 0.712."""
    return f"{100 * fraction:.1f} %"
