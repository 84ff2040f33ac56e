"""The numbers of a run for Prometheus: what they are, and when they are served."""

import errno
import math
import socket
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from federation_harness import run_federation
from plugins import install
from prometheus_client import CollectorRegistry
from run_configs import run_config

from fedmvp_core.errors import ConfigError, StorageError
from fedmvp_core.registry import CALLBACKS
from server_app import app
from server_app.callbacks import Callbacks
from server_app.callbacks.prometheus import run_metrics, try_port
from server_app.records.run_folder import RunFolder

START = {"event": "start", "rounds": 3, "clients": 4, "prompt-numbers": 10}
ROUND = {
    **{"event": "round", "round": 1, "loss": 0.5, "seconds": 2.0, "clients": 3, "failed": 1},
    **{"bytes-up": 30, "bytes-down": 40},
}
ACCURACY = {"base": 0.75, "new": 0.5}


@contextmanager
def endpoint(config):
    """The callbacks of a run, until it ends; what they are told goes in."""
    callbacks = Callbacks()
    callbacks.begin(config, Path("no folder"))
    try:
        yield callbacks.tell
    finally:
        callbacks.tell({"event": "end", "status": "completed", "error": None})


@pytest.fixture
def port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def metrics():
    """(function to give events to, function that reads a sample)."""
    registry = CollectorRegistry()
    on_event = run_metrics(registry, run_config(run_name="mine", method="fedmvp"))
    return on_event, lambda name, **labels: registry.get_sample_value(f"fedmvp_{name}", labels)


def test_rounds_clients_and_seconds_are_those_of_the_events(metrics):
    on_event, value = metrics
    for event in (START, ROUND, {**ROUND, "round": 2, "clients": 4, "failed": 0, "seconds": 4.0}):
        on_event(event)
    assert value("rounds") == 3
    assert value("rounds_completed") == 2
    clients = {
        state: value("clients", state=state) for state in ("registered", "answered", "failed")
    }
    assert clients == {"registered": 4, "answered": 4, "failed": 0}
    assert (value("round_seconds_sum"), value("round_seconds_count")) == (6.0, 2)
    assert value("round_seconds_bucket", le="2.5") == 1
    assert value("train_loss") == 0.5


def test_bytes_add_up_and_begin_at_zero(metrics):
    on_event, value = metrics
    assert value("bytes_total", direction="up") == 0
    on_event(ROUND)
    on_event(ROUND)
    assert value("bytes_total", direction="up") == 60
    assert value("bytes_total", direction="down") == 80


def test_accuracies_are_the_last_by_split_and_metric(metrics):
    on_event, value = metrics
    label = "robust-accuracy[pgd-10 eps=4/255]"
    on_event({"event": "evaluation", "round": 0, "metric": "accuracy", "accuracy": ACCURACY})
    on_event({"event": "robust-evaluation", "round": 0, "attack": label, "accuracy": ACCURACY})
    later = {"base": 0.8}
    on_event({"event": "evaluation", "round": 1, "metric": "accuracy", "accuracy": later})
    assert value("accuracy", split="base", metric="accuracy") == 0.8
    assert value("accuracy", split="new", metric="accuracy") == 0.5
    assert value("accuracy", split="base", metric=label) == 0.75


def test_what_clients_keep_to_themselves_is_not_made_up(metrics):
    on_event, value = metrics
    on_event({key: number for key, number in ROUND.items() if key != "loss"})
    assert math.isnan(value("train_loss"))
    assert value("rounds_completed") == 1


def test_the_run_is_named(metrics):
    _, value = metrics
    labels = {"run": "mine", "method": "fedmvp", "dataset": "emojidomains"}
    assert value("run_info", **labels, backbone="tiny", aggregation="fedavg") == 1


def test_the_endpoint_answers_during_the_run_and_not_after(port):
    config = run_config(metrics_port=port)
    address = f"http://127.0.0.1:{port}/metrics"
    with endpoint(config) as on_event:
        on_event(ROUND)
        with urllib.request.urlopen(address, timeout=5) as answer:
            text = answer.read().decode()
    assert "fedmvp_rounds_completed 1.0" in text.splitlines()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address, timeout=5)
    with endpoint(config):  # the port is free again at once
        pass


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ValueError("a round failed"), ValueError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OSError(errno.ENOSPC, "No space left on device"), StorageError),
    ],
    ids=["failed", "interrupted", "disk full"],
)
def test_the_endpoint_closes_when_a_run_fails(small_run, port, monkeypatch, error, raised):
    def fail(*_):
        with socket.create_connection(("127.0.0.1", port)):
            raise error

    monkeypatch.setattr(app, "_run", fail)
    if raised is StorageError:
        monkeypatch.setattr(RunFolder, "end", fail)
    with pytest.raises(raised):
        run_federation(small_run(metrics_port=port), clients=1)
    try_port(run_config(metrics_port=port).run)  # the port is free again


def test_the_endpoint_closes_when_another_callback_cannot_be_made(small_run, port, monkeypatch):
    def broken(run):
        raise OSError("no such printer")

    install(monkeypatch, CALLBACKS, "broken", broken)
    config = small_run(metrics_port=port, callbacks="prometheus,broken")
    with pytest.raises(ConfigError, match="callback 'broken' cannot be made: OSError: no such"):
        run_federation(config, clients=1)
    try_port(run_config(metrics_port=port).run)  # the port is free again


@pytest.mark.parametrize("callbacks", ["", "prometheus"], ids=["by port", "by name"])
def test_a_run_serves_its_numbers_while_it_goes_on(small_run, port, callbacks):
    shown = []

    def look(message, partition_id):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            shown.append(answer.read().decode().splitlines())

    config = small_run(metrics_port=port, callbacks=callbacks)
    run_federation(config, clients=2, intercept=look)
    assert "fedmvp_rounds 2.0" in shown[-1]
    assert "fedmvp_rounds_completed 1.0" in shown[-1]
    assert 'fedmvp_clients{state="answered"} 2.0' in shown[-1]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port))


def test_by_name_it_needs_a_port(small_run):
    with pytest.raises(ConfigError, match="listens on metrics-port, which is 0; set it"):
        run_federation(small_run(callbacks="prometheus"), clients=1)


def test_a_port_is_tried_without_being_kept(port):
    config = run_config(metrics_port=port).run
    try_port(config)
    try_port(config)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(ConfigError, match="cannot be listened on"):
            try_port(config)


def test_a_port_in_use_is_named(port):
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        wanted = f"metrics-port is {port}; 127.0.0.1:{port} cannot be listened on: Address already"
        with (
            pytest.raises(ConfigError, match=wanted),
            endpoint(run_config(metrics_port=port)),
        ):
            raise AssertionError("nothing may run without the endpoint that was asked for")


def test_a_host_that_is_not_of_this_machine_is_named(port):
    config = run_config(metrics_port=port, metrics_host="192.0.2.1")
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1:\d+ cannot be listened on"):
        endpoint(config).__enter__()


def test_the_missing_package_is_named(monkeypatch, port):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigError, match=r"pip install 'fedmvp\[metrics\]'"):
        endpoint(run_config(metrics_port=port)).__enter__()


def test_port_zero_needs_no_package_and_serves_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with endpoint(run_config(metrics_port=0)) as on_event:
        on_event(START)


def test_refused_replies_are_counted_by_reason(metrics):
    on_event, value = metrics
    for kind in ("norm", "not-finite", "norm"):
        on_event({"event": "refused", "round": 1, "kind": kind, "reason": "client 2: ..."})
    assert value("rejected_updates_total", reason="norm") == 2
    assert value("rejected_updates_total", reason="not-finite") == 1
