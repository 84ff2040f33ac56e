"""Rounds over prompt tensors: who trains, what is sent, which replies count.

Flower averages whatever it gets and dies of replies that differ; here each reply is checked first,
and replies are aggregated in the order of partition ids, so that results do not depend on who
finishes first.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import WireError
from fedmvp_core.exchange import sent_in
from fedmvp_core.json_logs import logger, note
from fedmvp_core.prompting import Prompting
from fedmvp_core.terms.term import ConfiguredTerm, TermText
from server_app.aggregation import (
    Rule,
    TooFewUpdatesError,
    UpdatesFile,
    restore_rule,
    rule_state,
)
from server_app.cohort.dispatch import Dispatch, draw_cohort
from server_app.cohort.nodes import Node, places, with_returned
from server_app.guest_strategy import GuestStrategy, term_of
from server_app.records.checkpoints import Checkpoint, ServerState
from server_app.records.rounds import counted, record_round, tell_refused
from server_app.records.run_folder import RunFolder
from server_app.replies.norms import Refusal, reasons_of
from server_app.replies.reading import (
    REPORTED,
    WITHOUT_METRICS,
    Asked,
    Checked,
    read_evaluation,
    read_updates,
)


@dataclass(frozen=True)
class Exchange:
    """What server and clients send each other.

    tensors: those that travel, as they begin. phases: the method's. terms: what clients are asked
    for beside their objective, as it travels and with its options.
    """

    prompting: Prompting
    tensors: Mapping[str, Tensor]
    phases: Sequence[str]
    class_names: Sequence[str]
    terms: Sequence[TermText] = ()
    configured_terms: Sequence[ConfiguredTerm] = ()

    def sent_in(self, phase: str) -> tuple[str, ...]:
        """Names of the tensors that a client sends after a round in a phase."""
        return sent_in(self.prompting, self.configured_terms, phase)


class PromptStrategy(Strategy):
    """A Flower strategy that sends and aggregates prompt tensors only."""

    def __init__(
        self,
        config: RunConfig,
        nodes: Sequence[Node],
        exchange: Exchange,
        rule: Rule,
        folder: RunFolder,
        after_round: Callable[[int, Mapping[str, Tensor]], None],
    ) -> None:
        self.config, self.nodes, self.folder = config, list(nodes), folder
        self.exchange, self.rule, self.after_round = exchange, rule, after_round
        self.tensors = dict(exchange.tensors)
        self._dispatch = Dispatch(self.tensors, exchange.class_names, exchange.phases[0])
        self.phases: dict[int, str] = {}  # partition id -> of its next training; others: the first
        self._offset = 0  # rounds that were done before the run was resumed
        self._started = 0.0
        self._grid: Grid  # of the current round, to ask again if it is repeated

    def go_on_from(self, checkpoint: Checkpoint) -> None:
        """Take up the state after a round: Flower's first round is then the one that follows.

        Whatever clients held is not counted on: each is sent all tensors again.
        """
        self._offset, self.tensors = checkpoint.round, dict(checkpoint.tensors)
        self.phases = dict(checkpoint.state.phases)
        restore_rule(self.rule, checkpoint.state.strategy)

    def state(self) -> ServerState:
        """What a checkpoint keeps beside the tensors."""
        return ServerState(dict(self.phases), dict(rule_state(self.rule)))

    def summary(self) -> None:
        """Flower asks for it at the start of a run."""
        federation = self.config.federation
        logger.info(
            "%s over %d clients, %d rounds, %s prompt tensor elements",
            federation.strategy or federation.aggregation,
            len(self.nodes),
            federation.rounds,
            f"{sum(t.numel() for t in self.tensors.values()):,}",
        )

    # --- training

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """One message for each client of the cohort."""
        self._grid, self._started = grid, time.monotonic()
        server_round += self._offset
        note(round=server_round)
        self._take_back(grid)
        self.folder.tell("round-began", round=server_round)
        return self._training_messages(server_round, "cohort")

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Check the replies, aggregate those that hold, and record what happened.

        Raises:
            FedMVPError: too few replies are usable, and the round may not be repeated (any more).
        """
        server_round += self._offset
        aggregated, checked = self._aggregated(server_round, replies)
        updates, metrics = checked.updates, checked.reported
        self.tensors |= aggregated
        self._dispatch.changed(aggregated, server_round)
        self._dispatch.answered((update.partition_id for update in updates), server_round)
        self.phases |= {u.partition_id: m.next_phase for u, m in zip(updates, metrics, strict=True)}
        seconds = time.monotonic() - self._started
        totals = record_round(self.folder, server_round, checked, self._dispatch.sent, seconds)
        self.after_round(server_round, self.tensors)
        return ArrayRecord(self.tensors), MetricRecord(dict(totals))

    # --- evaluation by the clients

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask some clients to test the new tensors; nobody when fraction-evaluate is 0."""
        fraction = self.config.evaluation.fraction_evaluate
        if fraction == 0:
            return []
        server_round += self._offset
        cohort = self._drawn(server_round, fraction, "evaluating cohort")
        return self._messages(server_round, cohort, MessageType.EVALUATE, {}, self.exchange.terms)

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """The headline on the clients' validation images, a mean weighted by their number.

        That is the pooled accuracy; a pooled mAP cannot be made of the clients' own.
        """
        server_round += self._offset
        metric, total, images = "", 0.0, 0
        for reply in replies:
            try:
                metric, value, tested = read_evaluation(reply)
            except WireError as error:
                logger.warning("round %d: evaluation refused: %s", server_round, error)
                continue
            total, images = total + value * tested, images + tested
        if images:
            self.folder.record(server_round, "clients", f"validation-{metric}", total / images)
            return MetricRecord({f"validation-{metric}": total / images})
        return None

    def evaluate_again(self, grid: Grid) -> None:
        """Ask for the evaluation after the last round, which an end of the process had cost."""
        messages = self.configure_evaluate(0, ArrayRecord(), ConfigRecord(), grid)
        timeout = self.config.federation.round_timeout
        self.aggregate_evaluate(0, grid.send_and_receive(messages, timeout=timeout))

    # --- the parts

    def _take_back(self, grid: Grid) -> None:
        """Clients that were started again go on; what they had been sent is gone with them.

        Others that had not come when the run began take part from now on.
        """
        before, clients = {node.node_id for node in self.nodes}, len(self.nodes)
        room = places(self.nodes, self.config.data)
        self.nodes = with_returned(grid, self.nodes, self.exchange.class_names, room)
        if len(self.nodes) > clients:
            self.folder.write_shards(self.nodes)
            self.folder.event("joined", clients=len(self.nodes))
        for node in self.nodes:
            if node.node_id not in before:
                self._dispatch.forget(node.partition_id)

    def _aggregated(
        self, round: int, replies: Iterable[Message]
    ) -> tuple[dict[str, Tensor], Checked]:
        """The tensors that change, and the replies that count; all that were refused for it.

        A repeated round asks a cohort that is drawn anew, and counts nothing of the one before.
        """
        refused: list[Refusal] = []
        federation = self.config.federation
        retries = federation.round_retries if federation.on_too_few == "repeat" else 0
        for attempt in range(retries + 1):
            if attempt:
                messages = self._training_messages(round, f"cohort again {attempt}")
                replies = self._grid.send_and_receive(messages, timeout=federation.round_timeout)
            try:
                arriving = counted(self.folder, round, len(self._dispatch.sent), replies)
                with UpdatesFile(self.folder.path) as kept:
                    checked = self._read(round, arriving, kept)
                    refused += checked.refused
                    tell_refused(self.folder, round, checked.refused)
                    aggregated = self._combined(round, checked)
                return aggregated, replace(checked, refused=refused)
            except TooFewUpdatesError as error:
                if attempt == retries:
                    raise
                logger.warning("%s; the round is repeated (%d of %d)", error, attempt + 1, retries)
                self.folder.event("repeat", round=round, reason=str(error))
        raise AssertionError("the last attempt returns or raises")

    def _read(self, round: int, replies: Iterable[Message], kept: UpdatesFile) -> Checked:
        return read_updates(replies, self._asked(round), kept)

    def _combined(self, round: int, checked: Checked) -> dict[str, Tensor]:
        self._require_enough(round, checked)
        return self.rule(checked.updates, self.tensors)

    def _require_enough(self, round: int, checked: Checked) -> None:
        usable, asked = len(checked.updates), len(self._dispatch.sent)
        if usable < self.config.federation.min_clients:
            reasons = reasons_of(checked.refused)
            raise TooFewUpdatesError(
                f"round {round}: {usable} of {asked} replies are usable, min-clients is "
                f"{self.config.federation.min_clients}; {reasons or 'none came in time'}"
            )

    def _asked(self, round: int) -> Asked:
        """What the replies of this round must look like."""
        sent, federation, privacy = (
            self._dispatch.sent,
            self.config.federation,
            self.config.privacy,
        )
        nodes = {n.partition_id: n.node_id for n in self.nodes if n.partition_id in sent}
        most = {n.partition_id: federation.max_examples or n.num_examples for n in self.nodes}
        return Asked(
            round=round,
            nodes=nodes,
            tensors=self.tensors,
            phases=self.phases,
            method_phases=self.exchange.phases,
            phase_tensors=self.exchange.sent_in,
            metrics=REPORTED if privacy.share_metrics else WITHOUT_METRICS,
            most_images={partition_id: images for partition_id, images in most.items() if images},
            wire_dtype=federation.wire_dtype,
            # With central privacy each update is clipped instead: whether one counts may not depend
            # on the others', or adding a client would change more than its own part of the sum.
            longest=0.0 if privacy.privacy == "central" else federation.max_update_norm,
        )

    def _training_messages(self, round: int, purpose: str) -> list[Message]:
        """Whom the run's draw, or a plugin's strategy, asks to train."""
        terms = list(self.exchange.terms)
        if not isinstance(self.rule, GuestStrategy):
            cohort = self._drawn(round, self.config.federation.fraction_train, purpose)
            return self._messages(round, cohort, MessageType.TRAIN, {}, terms)
        cohort, told = self.rule.ask(round, self.tensors, self.nodes)
        wanted = term_of(told)
        terms += [wanted] if wanted is not None else []
        return self._messages(round, cohort, MessageType.TRAIN, told, terms)

    def _drawn(self, round: int, fraction: float, purpose: str) -> list[Node]:
        return draw_cohort(self.nodes, fraction, self.config.run.seed, purpose, round)

    def _messages(
        self,
        round: int,
        cohort: Sequence[Node],
        kind: str,
        told: Mapping[str, protocol.Scalar],
        terms: Sequence[TermText],
    ) -> list[Message]:
        """told: what a plugin's strategy tells clients. terms: the client terms of the round."""
        more = {protocol.RUN_ID: self.folder.run_id}
        more |= {protocol.TERMS: json.dumps(terms)} if terms else {}
        more |= {protocol.STRATEGY_CONFIG: json.dumps(told)} if told else {}
        return self._dispatch.messages(round, cohort, kind, self.tensors, self.phases, more)
