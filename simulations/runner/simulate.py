"""Runs one federation in simulation, from a checked configuration to a closed run folder."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fedmvp_core.config import RunConfig
from fedmvp_core.replaced_run import settle
from fedmvp_core.run_folder import APP_LOG, ENDED, FAILED, SUPERLINK_LOG, WORKER_LOST, read_status
from simulations.cluster.joining import answers
from simulations.runner import flower
from simulations.runner.claimed_folder import EventTail, claimed_folder, close_run
from simulations.runner.errors import EngineError
from simulations.runner.failure import reason
from simulations.runner.interrupts import no_interrupts, requests_as_interrupts
from simulations.runner.processes import processes_of
from simulations.runner.project import stage_app
from simulations.runner.resources import Resources
from simulations.runner.superlink import SuperLink, local_superlink

logger = logging.getLogger(__name__)

OnEvent = Callable[[Mapping[str, Any]], None]

_GLANCE_SECONDS = 0.2
_PROCESS_GLANCE_SECONDS = 2.0
# The server writes the end last. Ray then takes seconds to shut down, which are worth waiting for
# only when the log has more to tell.
_FAREWELL_SECONDS = {"completed": 1.0, "failed": 6.0}
_SIMULATION = "flwr-simulation"
_TRIES = 3


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended."""

    folder: Path
    status: str  # completed | failed | interrupted
    error: str | None
    rounds_completed: int
    seconds: float
    kept: Path | None = None  # the run that was to be replaced, which is in its place again


def run_simulation(
    config: RunConfig, supernodes: int, resources: Resources, on_event: OnEvent
) -> RunOutcome:
    """Run and wait; Ctrl-C ends the run in order and is an outcome, not an exception.

    Flower does not replace a worker of Ray that died, alone or with its node. A run that lost one
    is taken up after its last finished round, with new workers on the nodes that are left, until
    it has lost workers _TRIES times without finishing a round, or the cluster's head is gone.

    Args:
        config: checked, with absolute paths.
        supernodes: number of simulated clients.
        resources: how many of them train at once, and on what.
        on_event: called with `{"event": "starting", "run", "method", "clients"}`, then with each
            event of progress.jsonl as it appears.

    Raises:
        ConfigError: the run folder cannot be used.
    """
    begun, tries = time.monotonic(), 1
    outcome, lost = _attempt(config, supernodes, resources, on_event)
    while lost and outcome.status == FAILED and tries < _TRIES and _can_go_on(outcome, resources):
        logger.warning("%s; the run is taken up with new workers", lost)
        finished = outcome.rounds_completed
        config = config.with_values(resume="latest", overwrite=False)
        outcome, lost = _attempt(config, supernodes, resources, on_event)
        tries = 1 if outcome.rounds_completed > finished else tries + 1
    return replace(outcome, seconds=time.monotonic() - begun)


def _can_go_on(outcome: RunOutcome, resources: Resources) -> bool:
    """Whether the run is still in its place, and the cluster's head still there, if it has one."""
    here = not resources.ray_address or answers(resources.ray_address)
    return here and outcome.kept is None


def _attempt(
    config: RunConfig, supernodes: int, resources: Resources, on_event: OnEvent
) -> tuple[RunOutcome, str]:
    """Run once; how it ended, and the server's sentence if it ended since a worker was lost."""
    lost = ""

    def heard(event: Mapping[str, Any]) -> None:
        nonlocal lost
        if event.get("event") == WORKER_LOST:
            lost = str(event["reason"])
        on_event(event)

    def drive(folder: Path) -> str:
        return _drive(config, supernodes, resources, folder, heard)

    return conducted(config, supernodes, on_event, drive), lost


def conducted(
    config: RunConfig, supernodes: int, on_event: OnEvent, drive: Callable[[Path], str]
) -> RunOutcome:
    """Claim the run folder, let an engine drive the run in it, and see that its end is written.

    drive: takes the run folder; returns why the run failed should its server not have said.

    Raises:
        ConfigError: the run folder cannot be used.
    """
    begun = time.monotonic()
    with requests_as_interrupts(), claimed_folder(config, supernodes) as folder:
        try:
            starting = {
                "run": config.run.run_name,
                "method": config.model.method,
                "clients": supernodes,
            }
            on_event({"event": "starting", **starting})
            failure = drive(folder)
        except KeyboardInterrupt:
            with no_interrupts():
                sentence = "the run was interrupted by its user"
                status = _closed(folder, config, "interrupted", sentence)
        except EngineError as error:
            status = _closed(folder, config, "failed", str(error))
        else:
            status = _closed(folder, config, "failed", failure)
        moved = settle(folder)  # none of its files is written any more
    why = status.get("error")
    return RunOutcome(
        folder=moved or folder,
        status=status["status"],
        error=_where_it_lies_now(why, folder, moved) if why and moved else why,
        rounds_completed=status.get("rounds-completed", 0),
        seconds=time.monotonic() - begun,
        kept=folder if moved else None,
    )


def _where_it_lies_now(error: str, folder: Path, moved: Path) -> str:
    """An error that names the files of a run which gave its place back."""
    return error.replace(str(folder), str(moved)) + f"; '{folder}' holds the earlier run as it was"


def _closed(folder: Path, config: RunConfig, status: str, error: str) -> dict[str, Any]:
    """How the run ended, which is written unless the server has."""
    if read_status(folder).get("status") not in ENDED:
        try:
            close_run(folder, config.federation.rounds, status, error)
        except OSError as full:
            logger.warning("the run's end cannot be written to %s: %s", folder, full.strerror)
            return {**read_status(folder), "status": status, "error": error}
    return read_status(folder)


def _drive(
    config: RunConfig, supernodes: int, resources: Resources, folder: Path, on_event: OnEvent
) -> str:
    """Start, submit, watch, put away; return why the run failed should the server not have said."""
    with local_superlink(folder / SUPERLINK_LOG, resources.ray_address) as link:
        app = stage_app(link.folder)
        run_id = flower.submit(link, app, config, supernodes, resources)
        logger.debug("submitted run %s", run_id)
        watch_run(link, run_id, folder, on_event, _SIMULATION)
        if read_status(folder).get("status") in ENDED:
            return ""
        return reason(folder, flower.run_status(link, run_id))


def watch_run(link: SuperLink, run_id: str, folder: Path, on_event: OnEvent, server: str) -> None:
    """Pass events on until the run is over, however it ends.

    server: what the command line of the process that runs the ServerApp holds.
    """
    tail = EventTail(folder)
    process = _ProcessGlance(link, server)
    log = flower.follow_log(link, run_id, folder / APP_LOG)
    following = True
    give_up: float | None = None
    while True:
        # Asked before the events are read: what was written before the end is then passed on.
        over = process.has_gone(soon=give_up is not None)
        if following and log.poll() is not None:
            following = False
            over = over or flower.run_status(link, run_id).status.startswith("finished")
        for event in tail.new_events():
            on_event(event)
            if event.get("event") == "end":
                give_up = time.monotonic() + _FAREWELL_SECONDS.get(event["status"], 1.0)
        if over or (give_up is not None and time.monotonic() > give_up):
            return
        time.sleep(_GLANCE_SECONDS)


class _ProcessGlance:
    """Notices that the run's process is gone, which takes Flower a minute when it was killed."""

    def __init__(self, link: SuperLink, server: str) -> None:
        self._folder, self._server = link.folder, server
        self._seen = False
        self._next = 0.0

    def has_gone(self, soon: bool) -> bool:
        """Look at the processes now and then, or each time when the end is expected soon."""
        if not soon and time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + _PROCESS_GLANCE_SECONDS
        alive = any(self._server in command for command in processes_of(self._folder).values())
        gone = self._seen and not alive
        self._seen = self._seen or alive
        return gone
