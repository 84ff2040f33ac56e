"""What a run is doing, for Prometheus: an HTTP endpoint that lives as long as the run.

The numbers are made from the events that the run folder writes (docs/run_folder.md), and nothing
that is not in the folder is shown. docs/operations.md lists the names.
"""

import math
from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeAlias

from fedmvp_core.config import RunConfig, RunSection
from fedmvp_core.errors import ConfigError
from fedmvp_core.json_logs import logger
from server_app.callbacks.callback import Callback, Event, Run

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

OnEvent: TypeAlias = Callable[[Event], None]

# Seconds of a round: from a simulation on the spot to a hospital's evening.
BUCKETS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 150.0, 300.0, 900.0, 3600.0)


class Prometheus(Callback):
    """Serves /metrics on metrics-host:metrics-port until the run ends.

    Raises:
        ConfigError: metrics-port is 0, prometheus-client is not installed, or the address cannot be
            listened on.
    """

    def __init__(self, run: Run) -> None:
        section = run.config.run
        self._registry, self._server, self._thread = listen(section)
        logger.info("metrics: http://%s:%d/metrics", section.metrics_host, section.metrics_port)
        self._on_event = run_metrics(self._registry, run.config)
        for hook in ("run_began", "round_ended", "update_refused", "evaluated"):
            setattr(self, hook, self._on_event)

    def run_ended(self, event: Event) -> None:
        """Stop serving."""
        close(self._server, self._thread)


def prometheus(run: Run) -> Callback:
    """The endpoint of `metrics-port`."""
    return Prometheus(run)


def listen(run: RunSection) -> tuple["CollectorRegistry", Any, Thread]:
    """A registry, and the server and thread that show it on metrics-host:metrics-port.

    Raises:
        ConfigError: as Prometheus.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError:
        raise ConfigError(
            f"metrics-port is {run.metrics_port}, which needs the package prometheus-client; "
            "install it (pip install 'fedmvp[metrics]') or set metrics-port to 0"
        ) from None
    if run.metrics_port == 0:
        raise ConfigError("callback 'prometheus' listens on metrics-port, which is 0; set it")
    registry = CollectorRegistry()
    try:
        server, thread = start_http_server(run.metrics_port, run.metrics_host, registry)
    except OSError as error:
        raise ConfigError(
            f"metrics-port is {run.metrics_port}; {run.metrics_host}:{run.metrics_port} cannot be "
            f"listened on: {error.strerror or error}"
        ) from None
    return registry, server, thread


def close(server: Any, thread: Thread) -> None:
    """Stop listening."""
    server.shutdown()
    server.server_close()
    thread.join()


def try_port(run: RunSection) -> None:
    """See whether metrics-port could be listened on now; raises ConfigError if not."""
    if run.metrics_port:
        _, server, thread = listen(run)
        close(server, thread)


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
    about.info(
        {**facts, "backbone": config.model.backbone, "aggregation": config.federation.aggregation}
    )
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
