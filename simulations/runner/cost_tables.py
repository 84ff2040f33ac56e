"""What a run would take, from what one client costs: `fedmvp plan`."""

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from fedmvp_core.config import RunConfig
from server_app.cohort.nodes import cohort_size
from simulations.runner.client_cost import ClientCost
from simulations.runner.resources import MOST_AT_ONCE

CARDS = (1, 2, 8)
USABLE = 0.9  # share of the memory that clients may fill; the server and the system take the rest


def at_once(cost: ClientCost, cards: int, cohort: int, cpus: int) -> int:
    """How many clients fit at once on so many cards, or machines, of this size; 0: not one.

    cpus: of one machine; a client on CPUs takes one. Flower asks no more than MOST_AT_ONCE.
    """
    if cost.memory is None:
        return 0
    fit = int(cost.room * USABLE // cost.memory)
    places = (fit if cost.device == "cuda" else min(fit, cpus)) * cards
    return min(places, cohort, MOST_AT_ONCE)


def round_seconds(cost: ClientCost, cards: int, cohort: int, cpus: int) -> float:
    """Of a cohort's training alone.

    Clients on CPUs train side by side; a card is shared, so that more of them make it no faster.
    """
    if cost.device == "cuda":
        return math.ceil(cohort / cards) * cost.mean_steps * cost.seconds
    waves = math.ceil(cohort / max(1, at_once(cost, cards, cohort, cpus)))
    return max(cost.steps, waves * cost.mean_steps) * cost.seconds


def what_would_help(cost: ClientCost, config: RunConfig) -> list[str]:
    """Changes that make a client smaller, the first ones first."""
    batch, found = config.training.batch_size, []
    if batch > 1:
        found.append(f"batch-size={max(1, batch // 2)} (now {batch})")
    if cost.device == "cuda" and config.model.precision == "fp32":
        found.append("precision=bf16 (now fp32)")
    if cost.device == "cpu":
        found.append("a machine with more memory, or a smaller backbone")
    else:
        found.append("a card with more memory, or a smaller backbone")
    return found


def print_cost(
    console: Console,
    config: RunConfig,
    cost: ClientCost,
    clients: int,
    cpus: int,
    cards: Sequence[int] = CARDS,
) -> None:
    """The cost of a client, and what a run takes on so many cards or machines."""
    cohort = cohort_size(clients, config.federation.fraction_train)
    rounds = config.federation.rounds
    table = Table(title=f"one client of {clients}, measured on {cost.device}", box=None)
    table.title_justify, table.show_header = "left", False
    memory = "more than there is" if cost.memory is None else _gigabytes(cost.memory)
    if cost.memory is not None:
        table.add_row("a step", f"{cost.seconds:.3f} s, attack included")
    table.add_row("steps a round", f"{cost.steps} at most, {cost.mean_steps:.1f} in the mean")
    table.add_row("memory", f"{memory} at most, of {_gigabytes(cost.room)}")
    table.add_row("a message", f"{cost.down / 1e6:.2f} MB down, {cost.up / 1e6:.2f} MB up")
    console.print(table)
    what = "cards" if cost.device == "cuda" else "machines"
    if cost.memory is not None and at_once(cost, 1, cohort, cpus):
        console.print(_run_table(cost, what, rounds, cohort, cpus, cards))
        console.print("training alone: messages, tests and attacks of the server come on top")
        return
    console.print("one client does not fit; what would help:")
    for words in what_would_help(cost, config):
        console.print(f"- {words}", highlight=False)


def _run_table(
    cost: ClientCost, what: str, rounds: int, cohort: int, cpus: int, numbers: Sequence[int]
) -> Table:
    title = f"{rounds} rounds of {cohort} clients, {rounds * cohort * cost.mean_steps:,.0f} steps"
    table = Table(title=title, title_justify="left", box=None)
    for heading in (what, "clients at once", "on each", "a round", "the run"):
        table.add_column(heading, justify="right")
    for cards in numbers:
        seconds = round_seconds(cost, cards, cohort, cpus)
        places = at_once(cost, cards, cohort, cpus)
        each = str(math.ceil(places / cards))  # as the run spreads them
        durations = _duration(seconds), _duration(rounds * seconds)
        table.add_row(str(cards), str(places), each, *durations)
    return table


def _gigabytes(number: int) -> str:
    return f"{number / 1e9:.2f} GB"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
