"""Progress: one line a round without a terminal, a table with one."""

import io

from simulations.console import Console
from simulations.runner.named_runs import NamedRun, resolve_config
from simulations.runner.progress import LiveTable, shown_progress

CONFIG = resolve_config(NamedRun("mine", "", 0, {}), {"rounds": 3, "evaluate-every": 2})
ATTACK = "robust-accuracy[pgd-10 eps=4/255]"
ROUND = {"event": "round", "clients": 5, "failed": 1, "seconds": 2.06, "bytes-up": 1}
EVENTS = [
    {"event": "starting", "run": "demo", "method": "fedmvp", "clients": 6},
    {"event": "start", "rounds": 3, "clients": 6, "prompt-numbers": 287232},
    {"event": "evaluation", "round": 0, "accuracy": {"base": 0.5, "new": 0.25}},
    {"event": "robust-evaluation", "round": 0, "attack": ATTACK, "accuracy": {"base": 0.125}},
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
        f"round 0  {ATTACK}  base 12.5 %",
        "round 1/3  5 clients (1 failed)  loss 1.500  2.1 s",
        "round 2/3  6 clients  loss 1.250  2.1 s  base 62.5 %  new 25.0 %",
        "round 3/3  5 clients (1 failed)  loss 1.125  2.1 s",
    ]


def test_what_to_mind_of_the_data_is_shown():
    event = {"event": "warning", "text": "pets: 1 classes have a single picture: [dodo]"}
    stream = io.StringIO()
    with shown_progress(Console(file=stream, width=40), CONFIG) as on_event:
        on_event(event)
    assert stream.getvalue() == f"mind: {event['text']}\n"
    table = LiveTable(CONFIG)
    table.on_event(event)
    for other in ([], EVENTS):
        for more in other:
            table.on_event(more)
        console = Console(file=io.StringIO(), width=120)
        console.print(table.render())
        assert f"mind: {event['text']}" in console.file.getvalue()


def test_a_round_without_a_test_is_shown_at_once():
    stream = io.StringIO()
    with shown_progress(Console(file=stream), CONFIG) as on_event:
        on_event(EVENTS[4])
        assert "round 1/3" in stream.getvalue()


def test_live_table_holds_each_test_and_the_last_loss():
    table = LiveTable(CONFIG)
    for event in EVENTS:
        table.on_event(event)
    console = Console(file=io.StringIO(), width=120)
    console.print(table.render())
    shown = console.file.getvalue()
    caption = f"clean accuracy / {ATTACK}"
    for text in ("base", "50.0 / 12.5 %", "62.5 /    - %", "3/3", "loss 1.125", caption):
        assert text in shown


def test_a_round_has_a_bar_of_its_own_with_the_time_left():
    """Rounds of a minute: the pace of the last half minute would tell nothing."""
    clock = {"now": 0.0}
    table = LiveTable(CONFIG, lambda: clock["now"])
    shown = []
    for number in (1, 2):
        for seconds, event in (
            (0, {"event": "start", "rounds": 3, "clients": 4, "prompt-numbers": 1}),
            (10, {"event": "asked", "round": number, "clients": 4}),
            (20, {"event": "answered", "round": number, "answered": 1, "clients": 4}),
            (20, {"event": "answered", "round": number, "answered": 2, "clients": 4}),
        )[number > 1 :]:
            clock["now"] += seconds
            table.on_event(event)
        console = Console(file=io.StringIO(), width=120)
        console.print(table.render())
        shown.append(console.file.getvalue())
        clock["now"] += 20
        table.on_event({**ROUND, "round": number, "loss": 1.5})
    for text in ("round 1", "2/4", "0/3", "left 0:00:40"):
        assert text in shown[0], shown[0]
    for text in ("round 2", "2/4", "1/3"):
        assert text in shown[1], shown[1]
    console = Console(file=io.StringIO(), width=120)
    console.print(table.render())
    assert "2/4" not in console.file.getvalue(), "a round that is over has no bar"


def test_a_run_without_attack_has_clean_accuracy_alone():
    table = LiveTable(CONFIG)
    for event in EVENTS:
        if event["event"] != "robust-evaluation":
            table.on_event(event)
    console = Console(file=io.StringIO(), width=120)
    console.print(table.render())
    shown = console.file.getvalue()
    assert "62.5 %" in shown
    assert "clean" not in shown
    assert " / " not in shown


def test_the_attack_after_the_last_round_is_announced():
    stream = io.StringIO()
    last = {"event": "evaluation", "round": 3, "accuracy": {"base": 0.5}}
    robust = {"event": "robust-evaluation", "round": 3, "attack": ATTACK, "accuracy": {"base": 0.1}}
    table = LiveTable(CONFIG)
    with shown_progress(Console(file=stream, width=40), CONFIG) as on_event:
        for event in ({**ROUND, "round": 3, "loss": 1.0}, last, robust):
            on_event(event)
            table.on_event(event)
    assert stream.getvalue().splitlines() == [
        "round 3/3  5 clients (1 failed)  loss 1.000  2.1 s  base 50.0 %",
        "attacking all test images",
        f"round 3/3  {ATTACK}  base 10.0 %",
    ]
    console = Console(file=io.StringIO(), width=120)
    console.print(table.render())
    assert "attacking all test images" in console.file.getvalue()


def test_nothing_is_announced_where_nothing_is_attacked():
    stream = io.StringIO()
    config = resolve_config(NamedRun("mine", "", 0, {}), {"rounds": 3, "robust-attack": "none"})
    with shown_progress(Console(file=stream), config) as on_event:
        on_event({"event": "evaluation", "round": 3, "accuracy": {"base": 0.5}})
    assert stream.getvalue() == "round 3  base 50.0 %\n"


def test_a_terminal_gets_the_live_table():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    with shown_progress(console, CONFIG) as on_event:
        for event in EVENTS:
            on_event(event)
    assert "62.5 /" in stream.getvalue()


def test_another_headline_than_accuracy_is_named():
    event = {"event": "evaluation", "round": 0, "metric": "map", "accuracy": {"all": 0.5}}
    stream, table = io.StringIO(), LiveTable(CONFIG)
    with shown_progress(Console(file=stream), CONFIG) as on_event:
        on_event(event)
    assert stream.getvalue() == "round 0  map  all 50.0 %\n"
    table.on_event(event)
    console = Console(file=io.StringIO(), width=120)
    console.print(table.render())
    assert "map" in console.file.getvalue()
