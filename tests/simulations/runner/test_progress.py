"""Progress: one line a round without a terminal, a table with one."""

import io

from rich.console import Console

from simulations.runner.named_runs import NamedRun, resolve_config
from simulations.runner.progress import LiveTable, shown_progress

CONFIG = resolve_config(NamedRun("mine", "", 0, {}), {"rounds": 3, "evaluate-every": 2})
ROUND = {"event": "round", "clients": 5, "failed": 1, "seconds": 2.06, "bytes-up": 1}
EVENTS = [
    {"event": "starting", "run": "demo", "method": "fedmvp", "clients": 6},
    {"event": "start", "rounds": 3, "clients": 6, "prompt-numbers": 287232},
    {"event": "evaluation", "round": 0, "accuracy": {"base": 0.5, "new": 0.25}},
    {**ROUND, "round": 1, "loss": 1.5},
    {**ROUND, "round": 2, "loss": 1.25, "failed": 0, "clients": 6},
    {"event": "evaluation", "round": 2, "accuracy": {"base": 0.625, "new": 0.25}},
    {**ROUND, "round": 3, "loss": 1.125},
    {"event": "end", "status": "failed", "error": "why"},
]


def test_plain_lines_one_for_each_round():
    stream = io.StringIO()
    with shown_progress(Console(file=stream, width=40), CONFIG) as on_event:
        for event in EVENTS:
            on_event(event)
    assert stream.getvalue().splitlines() == [
        "starting demo: fedmvp, 6 clients",
        "3 rounds, 6 clients, 287,232 trainable numbers",
        "round 0  base 50.0 %  new 25.0 %",
        "round 1/3  5 clients (1 failed)  loss 1.500  2.1 s",
        "round 2/3  6 clients  loss 1.250  2.1 s  base 62.5 %  new 25.0 %",
        "round 3/3  5 clients (1 failed)  loss 1.125  2.1 s",
    ]


def test_a_round_without_a_test_is_shown_at_once():
    stream = io.StringIO()
    with shown_progress(Console(file=stream), CONFIG) as on_event:
        on_event(EVENTS[3])
        assert "round 1/3" in stream.getvalue()


def test_live_table_holds_each_test_and_the_last_loss():
    table = LiveTable(CONFIG)
    for event in EVENTS:
        table.on_event(event)
    console = Console(file=io.StringIO(), width=120)
    console.print(table.render())
    shown = console.file.getvalue()
    for text in ("base", "62.5 %", "25.0 %", "3/3", "loss 1.125"):
        assert text in shown


def test_a_terminal_gets_the_live_table():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    with shown_progress(console, CONFIG) as on_event:
        for event in EVENTS:
            on_event(event)
    assert "62.5 %" in stream.getvalue()
