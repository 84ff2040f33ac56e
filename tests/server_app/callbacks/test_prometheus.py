"""The numbers of a run for Prometheus: what they are, and when they are served."""

import math
import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from run_configs import run_config

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from server_app.callbacks.callback import Event, Run, callback_names, configured_callbacks
from server_app.callbacks.prometheus import Prometheus, run_metrics, try_port

START = {"event": "start", "rounds": 3, "clients": 4, "prompt-numbers": 10}
ROUND = {
    **{"event": "round", "round": 1, "loss": 0.5, "seconds": 2.0, "clients": 3, "failed": 1},
    **{"bytes-up": 30, "bytes-down": 40},
}
ACCURACY = {"base": 0.75, "new": 0.5}


@contextmanager
def metrics_endpoint(config: RunConfig) -> Iterator[Callable[[Event], None]]:
    """The endpoint while a run goes on; yields what hears of its rounds."""
    callback = Prometheus(Run(config, Path()))
    try:
        yield callback.round_ended
    finally:
        callback.run_ended({"event": "end", "status": "failed"})


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
    with metrics_endpoint(config) as on_event:
        on_event(ROUND)
        with urllib.request.urlopen(address, timeout=5) as answer:
            text = answer.read().decode()
    assert "fedmvp_rounds_completed 1.0" in text.splitlines()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address, timeout=5)
    with metrics_endpoint(config):  # the port is free again at once
        pass


def test_the_endpoint_closes_when_a_run_fails(port):
    config = run_config(metrics_port=port)
    with pytest.raises(ValueError, match="a round failed"), metrics_endpoint(config):
        raise ValueError("a round failed")
    with socket.socket() as again:
        again.bind(("127.0.0.1", port))


def test_a_port_in_use_is_named(port):
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        wanted = f"metrics-port is {port}; 127.0.0.1:{port} cannot be listened on: Address already"
        with (
            pytest.raises(ConfigError, match=wanted),
            metrics_endpoint(run_config(metrics_port=port)),
        ):
            raise AssertionError("nothing may run without the endpoint that was asked for")


def test_a_host_that_is_not_of_this_machine_is_named(port):
    config = run_config(metrics_port=port, metrics_host="192.0.2.1")
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1:\d+ cannot be listened on"):
        metrics_endpoint(config).__enter__()


def test_the_missing_package_is_named(monkeypatch, port):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigError, match=r"pip install 'fedmvp\[metrics\]'"):
        metrics_endpoint(run_config(metrics_port=port)).__enter__()


def test_port_zero_needs_no_package_and_serves_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    config = run_config(metrics_port=0)
    assert callback_names(config.run) == []
    configured_callbacks(config, Path()).tell(START)
    try_port(config.run)


def test_a_port_alone_asks_for_the_callback(port):
    assert callback_names(run_config(metrics_port=port).run) == ["prometheus"]
    with pytest.raises(ConfigError, match="listens on metrics-port, which is 0"):
        configured_callbacks(run_config(callbacks="prometheus"), Path())


def test_a_port_is_tried_and_left(port):
    for _ in range(2):
        try_port(run_config(metrics_port=port).run)


def test_refused_replies_are_counted_by_reason(metrics):
    on_event, value = metrics
    for kind in ("norm", "not-finite", "norm"):
        on_event({"event": "refused", "round": 1, "kind": kind, "reason": "client 2: ..."})
    assert value("rejected_updates_total", reason="norm") == 2
    assert value("rejected_updates_total", reason="not-finite") == 1
