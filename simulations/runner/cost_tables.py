"""What a run would take, from what one client costs: `fedmvp plan`."""

import math
from collections.abc import Sequence

import torch
from rich.console import Console
from rich.table import Table

from fedmvp_core.config import RunConfig, Scalar
from fedmvp_core.config.words import kebab
from server_app.cohort.nodes import cohort_size
from simulations.runner.client_cost import ClientCost
from simulations.runner.fitting import Changes, ways_to_keep_less, what_fits
from simulations.runner.resources import MOST_AT_ONCE

CARDS = (1, 2, 8)
USABLE = 0.9  # share of the memory that clients may fill; the server and the system take the rest


def at_once(cost: ClientCost, cards: int, cohort: int, cpus: int) -> int:
    """How many clients fit at once on so many cards, or machines, of this size; 0: not one.

    cpus: of one machine; a client on CPUs takes one. Flower asks no more than MOST_AT_ONCE. Clients
    that share a batch are all in one process.
    """
    if cost.memory is None:
        return 0
    if cost.sharing > 1:
        return min(cost.sharing, cohort) if cost.room * USABLE >= cost.memory else 0
    fit = int(cost.room * USABLE // cost.memory)
    places = (fit if cost.device == "cuda" else min(fit, cpus)) * cards
    return min(places, cohort, MOST_AT_ONCE)


def round_seconds(cost: ClientCost, cards: int, cohort: int, cpus: int) -> float:
    """Of a cohort's training alone.

    Clients on CPUs train side by side; a card is shared, so that more of them make it no faster.
    """
    if cost.sharing > 1:
        return cohort * cost.mean_steps * cost.seconds
    if cost.device == "cuda":
        return math.ceil(cohort / cards) * cost.mean_steps * cost.seconds
    waves = math.ceil(cohort / max(1, at_once(cost, cards, cohort, cpus)))
    return max(cost.steps, waves * cost.mean_steps) * cost.seconds


def what_would_help(
    config: RunConfig, cost: ClientCost, clients: int, cohort: int, cpus: int
) -> list[str]:
    """Changes with which a client fits, tried where that can be seen, and what helps always.

    The memory of a process on CPUs is what it had at most, so that a smaller client is not seen in
    it; there changes are named untried, unless memory ran out.
    """
    device = torch.device(cost.device)
    if cost.device == "cuda" or cost.memory is None:
        tried = what_fits(config, clients, device, lambda c: at_once(c, 1, cohort, cpus) > 0)
        found = [f"{_words(config, way)}: {_room_taken(cost)}" for way, cost in tried]
    else:
        ways = ways_to_keep_less(config, device)
        if config.training.batch_size > 1:
            ways.append({"batch_size": config.training.batch_size // 2})
        found = [_words(config, way) for way in ways]
    card = "card" if cost.device == "cuda" else "machine"
    return [*found, f"a {card} with more memory, or a smaller backbone"]


def _words(config: RunConfig, changes: Changes) -> str:
    """What to write, and what it is now: "batch-size=16 (now 32)"."""
    mapping = config.as_mapping()
    return " ".join(
        f"{kebab(name)}={_written(value)} (now {_written(mapping[kebab(name)])})"
        for name, value in changes.items()
    )


def _written(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _room_taken(cost: ClientCost) -> str:
    taken = f"{_gigabytes(cost.memory)}, " if cost.memory is not None else ""
    return f"fits, {taken}{cost.seconds:.3f} s a step"


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
    who = "one client" if cost.sharing == 1 else f"{cost.sharing} clients in one batch"
    table = Table(title=f"{who} of {clients}, measured on {cost.device}", box=None)
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
        held = cards if cost.sharing == 1 else (1,)
        console.print(_run_table(cost, what, rounds, cohort, cpus, held))
        console.print("training alone: messages, tests and attacks of the server come on top")
        return
    with console.status("trying what would fit"):
        helps = what_would_help(config, cost, clients, cohort, cpus)
    console.print(f"{who} {'does' if cost.sharing == 1 else 'do'} not fit; what would help:")
    for words in helps:
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
