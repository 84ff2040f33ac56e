"""What callbacks hear of a run, and what happens to those that fail."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from federation_harness import error_reply, final_tensors, run_federation, run_folder
from flwr.app import Message, MessageType
from plugins import install

from fedmvp_core.config import RunConfig
from fedmvp_core.config.options import Annotated, Between, option
from fedmvp_core.errors import ConfigError, FedMVPError
from fedmvp_core.json_logs import logger
from fedmvp_core.registry import CALLBACKS
from fedmvp_core.run_folder import read_status
from server_app.callbacks import Callback, Run

Make = Callable[..., RunConfig]
HOOKS = (
    "run_began",
    "round_began",
    "round_ended",
    "update_refused",
    "evaluated",
    "checkpoint_written",
    "run_ended",
)


class Listener(Callback):
    """Writes down all it hears; `broken` is the hook that raises."""

    def __init__(self, run: Run, broken: str = "") -> None:
        self.run, self.heard = run, []
        for hook in HOOKS:
            setattr(self, hook, self._hearing(hook, hook == broken))

    heard: list[tuple[str, dict[str, Any]]]

    def _hearing(self, hook: str, broken: bool) -> Callable[[Any], None]:
        def hear(event: Any) -> None:
            self.heard.append((hook, dict(event)))
            if broken:
                raise RuntimeError("no more paper")

        return hear

    def hooks(self) -> list[tuple[str, Any]]:
        return [(hook, event.get("round")) for hook, event in self.heard]


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Listener]]:
    """Installs a listener under a name; the list holds those that runs have made."""

    def listen(name: str = "listener", broken: str = "") -> list[Listener]:
        made: list[Listener] = []

        def factory(run: Run) -> Callback:
            made.append(Listener(run, broken))
            return made[-1]

        install(monkeypatch, CALLBACKS, name, factory)
        return made

    return listen


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    """What is logged as a warning."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    yield said
    logger.removeHandler(handler)


def test_hooks_are_called_in_order_with_their_events(
    small_run: Make, listening: Callable[..., list[Listener]]
) -> None:
    made = listening()
    config = small_run(callbacks="listener")
    run_federation(config, clients=2)
    (listener,) = made
    assert listener.run.config == config
    assert listener.run.folder == run_folder(config)
    assert listener.hooks() == [
        ("run_began", None),
        ("checkpoint_written", 0),
        ("evaluated", 0),
        ("round_began", 1),
        ("round_ended", 1),
        ("checkpoint_written", 1),
        ("round_began", 2),
        ("round_ended", 2),
        ("checkpoint_written", 2),
        ("evaluated", 2),
        ("run_ended", None),
    ]
    events = dict(listener.heard)
    assert {"rounds": 2, "clients": 2}.items() <= events["run_began"].items()
    assert {"clients": 2, "failed": 0}.items() <= events["round_ended"].items()
    assert {"loss", "seconds", "bytes-up", "bytes-down"} <= set(events["round_ended"])
    assert events["evaluated"]["metric"] == "accuracy"
    assert set(events["evaluated"]["accuracy"]) >= {"base", "new"}
    assert Path(events["checkpoint_written"]["path"]).is_file()
    assert events["run_ended"] == {"event": "end", "status": "completed", "error": None}


def test_refusals_and_failures_are_heard(
    small_run: Make, listening: Callable[..., list[Listener]]
) -> None:
    made = listening()

    def fail(message: Message, partition_id: int) -> Message | None:
        if message.metadata.message_type == MessageType.TRAIN:
            return error_reply(message, "CUDA out of memory")
        return None

    with pytest.raises(FedMVPError, match="0 of 2 replies are usable"):
        run_federation(small_run(callbacks="listener"), clients=2, intercept=fail)
    (listener,) = made
    refused = [event for hook, event in listener.heard if hook == "update_refused"]
    assert [event["kind"] for event in refused] == ["failed", "failed"]
    assert "CUDA out of memory" in refused[0]["reason"]
    hook, event = listener.heard[-1]
    assert (hook, event["status"]) == ("run_ended", "failed")
    assert "0 of 2 replies are usable" in event["error"]
    assert [hook for hook, _ in listener.heard].count("run_ended") == 1


def test_an_attack_is_heard_as_an_evaluation(
    small_run: Make, listening: Callable[..., list[Listener]]
) -> None:
    made = listening()
    config = small_run(callbacks="listener", rounds=1, robust_attack="fgsm", robust_steps=1)
    run_federation(config, clients=2)
    attacks = [e["attack"] for hook, e in made[0].heard if hook == "evaluated" and "attack" in e]
    assert attacks
    assert all("fgsm" in attack for attack in attacks)


@pytest.mark.parametrize("hook", ["run_began", "round_began", "round_ended", "run_ended"])
def test_one_that_raises_is_reported_once_and_the_run_goes_on(
    small_run: Make,
    listening: Callable[..., list[Listener]],
    warnings: list[str],
    hook: str,
) -> None:
    broken, whole = listening("broken", hook), listening("whole")
    config = small_run(callbacks="broken,whole")
    run_federation(config, clients=2)
    assert read_status(run_folder(config))["status"] == "completed"
    said = [text for text in warnings if "hears nothing more" in text]
    assert said == [
        f"callback 'broken' raised in {hook} and hears nothing more: RuntimeError: no more paper"
    ]
    assert broken[0].hooks()[-1][0] == hook
    assert [name for name, _ in broken[0].hooks()].count(hook) == 1
    assert whole[0].hooks()[-1][0] == "run_ended"


def test_a_callback_changes_nothing(
    small_run: Make, listening: Callable[..., list[Listener]]
) -> None:
    listening()
    plain, heard = small_run(run_name="plain"), small_run(callbacks="listener")
    run_federation(plain, clients=2)
    run_federation(heard, clients=2)
    found = final_tensors(heard)
    assert all(value.equal(found[name]) for name, value in final_tensors(plain).items())


# --- options, and what is refused


@dataclass(frozen=True)
class PrinterOptions:
    copies: Annotated[int, Between(1, 9)] = option(1, "of each page")
    paper: str = option("A4", "its size")


def test_options_are_those_of_the_callbacks_name(
    small_run: Make, monkeypatch: pytest.MonkeyPatch, listening: Callable[..., list[Listener]]
) -> None:
    listening()
    found: list[PrinterOptions] = []

    def printer(run: Run, options: PrinterOptions) -> Callback:
        found.append(options)
        return Callback()

    install(monkeypatch, CALLBACKS, "printer", printer)
    for text in ("", "printer.copies=3 printer.paper='A3 wide'"):
        run_federation(
            small_run(
                method="zs-clip",
                callbacks="listener,printer",
                callback_options=text,
                overwrite=True,
            ),
            clients=1,
        )
    assert found == [PrinterOptions(), PrinterOptions(3, "A3 wide")]


@pytest.mark.parametrize(
    ("callbacks", "text", "message"),
    [
        (
            "printer",
            "printer.copies=10",
            "callback 'printer': option copies is 10; all.*1 to 9",
        ),
        ("printer", "printer.copys=2", "callback 'printer' has no option 'copys'.*copies"),
        ("printer", "copies=2", "callback-options hold 'copies'; allowed: NAME.OPTION=VALUE"),
        ("", "printer.copies=2", r"callback-options hold 'printer.copies'.*\(none\)"),
        ("listener", "listener.copies=2", "callback 'listener' has no option 'copies'"),
        ("nothing", "", "callback 'nothing' makes a NoneType; allowed: a Callback"),
        ("raising", "", "callback 'raising' cannot be made: OSError: no such printer"),
    ],
)
def test_what_is_wrong_is_named_before_the_run(
    small_run: Make,
    monkeypatch: pytest.MonkeyPatch,
    listening: Callable[..., list[Listener]],
    callbacks: str,
    text: str,
    message: str,
) -> None:
    listening()
    if callbacks in ("nothing", "raising"):

        def nothing(run: Run) -> Any:
            if callbacks == "raising":
                raise OSError("no such printer")

        install(monkeypatch, CALLBACKS, callbacks, nothing)

    def printer(run: Run, options: PrinterOptions) -> Callback:
        return Callback()

    install(monkeypatch, CALLBACKS, "printer", printer)
    config = small_run(callbacks=callbacks, callback_options=text)
    with pytest.raises(ConfigError, match=message):
        run_federation(config, clients=1)
    assert read_status(run_folder(config))["status"] == "failed"


def test_a_callback_that_is_not_installed_is_no_configuration(small_run: Make) -> None:
    with pytest.raises(ConfigError, match=r"callbacks is 'printr'; allowed: .*prometheus"):
        small_run(callbacks="printr")
