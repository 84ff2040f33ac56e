"""What a run is doing, for Prometheus: an HTTP endpoint that lives as long as the run.

The numbers are made from the events that the run folder writes (docs/run_folder.md), and nothing
that is not in the folder is shown. docs/operations.md lists the names.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.json_logs import logger

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

Event: TypeAlias = Mapping[str, Any]
OnEvent: TypeAlias = Callable[[Event], None]

# Seconds of a round: from a simulation on the spot to a hospital's evening.
BUCKETS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 150.0, 300.0, 900.0, 3600.0)


@contextmanager
def metrics_endpoint(config: RunConfig) -> Iterator[OnEvent]:
    """Serve /metrics on metrics-host:metrics-port inside the block; port 0: serve nothing.

    Yields what wants to be told of every event.

    Raises:
        ConfigError: prometheus-client is not installed, or the address cannot be listened on.
    """
    if config.run.metrics_port == 0:
        yield _ignore
        return
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError:
        raise ConfigError(
            f"metrics-port is {config.run.metrics_port}, which needs the package prometheus-client; "
            "install it (pip install 'fedmvp[metrics]') or set metrics-port to 0"
        ) from None
    registry = CollectorRegistry()
    on_event = run_metrics(registry, config)
    address = f"{config.run.metrics_host}:{config.run.metrics_port}"
    try:
        server, thread = start_http_server(
            config.run.metrics_port, config.run.metrics_host, registry
        )
    except OSError as error:
        raise ConfigError(
            f"metrics-port is {config.run.metrics_port}; {address} cannot be listened on: "
            f"{error.strerror or error}"
        ) from None
    logger.info("metrics: http://%s/metrics", address)
    try:
        yield on_event
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def run_metrics(registry: "CollectorRegistry", config: RunConfig) -> OnEvent:
    """Register a run's metrics; returns the function that keeps them up to date."""
    from prometheus_client import Counter, Gauge, Histogram, Info

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"fedmvp_{name}", text, labels, registry=registry)

    def counter(name: str, text: str, *labels: str) -> Counter:
        return Counter(f"fedmvp_{name}", text, labels, registry=registry)

    rounds = gauge("rounds", "Rounds that the run is to have.")
    completed = gauge("rounds_completed", "The last round that was averaged.")
    clients = gauge("clients", "Clients of the run and of its last round.", "state")
    rejected = counter("rejected_updates", "Replies that did not count, by reason.", "reason")
    bytes_moved = counter("bytes", "Bytes of prompt tensors to and from the clients.", "direction")
    text = "Seconds of a round, without the evaluation after it."
    seconds = Histogram("fedmvp_round_seconds", text, registry=registry, buckets=BUCKETS)
    loss = gauge("train_loss", "Mean training loss of the last round's clients.")
    loss.set(math.nan)  # until clients tell it; 0 would be a very good one
    accuracy = gauge("accuracy", "The last evaluation, in [0, 1].", "split", "metric")
    about = Info("fedmvp_run", "Which run this is.", registry=registry)
    facts = {
        "run": config.run.run_name,
        "method": config.model.method,
        "dataset": config.data.dataset,
    }
    about.info({**facts, "backbone": config.model.backbone, "strategy": config.federation.strategy})
    for direction in ("up", "down"):
        bytes_moved.labels(direction)  # shown as 0 from the beginning

    def on_event(event: Event) -> None:
        kind = event["event"]
        if kind == "start":
            rounds.set(event["rounds"])
            clients.labels("registered").set(event["clients"])
        elif kind == "round":
            completed.set(event["round"])
            clients.labels("answered").set(event["clients"])
            clients.labels("failed").set(event["failed"])
            for direction in ("up", "down"):
                bytes_moved.labels(direction).inc(event[f"bytes-{direction}"])
            seconds.observe(event["seconds"])
            if event.get("loss") is not None:
                loss.set(event["loss"])
        elif kind == "refused":
            rejected.labels(event["kind"]).inc()
        elif kind in ("evaluation", "robust-evaluation"):
            metric = event.get("metric") or event["attack"]
            for split, value in event["accuracy"].items():
                accuracy.labels(split, metric).set(value)

    return on_event


def _ignore(event: Event) -> None:
    return None
