"""Rounds whose updates the server never sees: it is sent masked vectors and learns their mean.

Checks of single updates and rules that look at them have no place here: config/secure.py refuses
them. What is left is what PromptStrategy does, with the mean in place of the updates.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from flwr.app import Message, MessageType
from torch import Tensor

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.json_logs import logger
from fedmvp_core.secure.neighbours import sharing
from fedmvp_core.secure.records import MASKED, RECORD, masked_layout
from fedmvp_core.secure.rounding import Scale
from fedmvp_core.terms.term import PREFIX
from server_app.aggregation import TooFewUpdatesError, Update, UpdatesFile
from server_app.cohort.nodes import Node
from server_app.replies.reading import Asked, Checked
from server_app.secure.asking import message_size
from server_app.secure.attempt import Attempt, open_attempt
from server_app.secure.mean import SecureMean, close_attempt
from server_app.strategy import PromptStrategy

BOUND, STEP, SIZE = "secagg-error-bound", "secagg-step", "secagg-bytes"


class SecureStrategy(PromptStrategy):
    """A PromptStrategy over masked updates.

    Raises:
        ConfigError: a client term exchanges tensors of its own.
    """

    def __init__(self, *args: object, **named: object) -> None:
        super().__init__(*args, **named)  # type: ignore[arg-type]
        names = self.exchange.sent_in(self.exchange.phases[0])
        if others := [name for name in names if name.startswith(PREFIX)]:
            raise ConfigError(
                f"secure-aggregation is true, but a client term exchanges {others[0]}, which would "
                "be clipped as a part of the update; allowed with it: terms that exchange nothing"
            )
        self._names = names
        self._attempt: Attempt | TooFewUpdatesError | None = None

    @property
    def _summed(self) -> dict[str, Tensor]:
        """The tensors that clients send, as they are now."""
        return {name: self.tensors[name] for name in self._names}

    def _training_messages(self, round: int, purpose: str) -> list[Message]:
        """Ask for keys and shares first; then to train those that have given them.

        Too few are told of when the replies are looked at, where a round may be repeated.
        """
        cohort = self._drawn(round, self.config.federation.fraction_train, purpose)
        asked = dict.fromkeys((node.partition_id for node in cohort), 0)
        try:
            attempt = self._opened(round, cohort)
        except TooFewUpdatesError as error:
            self._attempt, self._dispatch.sent = error, asked
            return []
        self._attempt = attempt
        terms = list(self.exchange.terms)
        messages = self._messages(round, attempt.nodes, MessageType.TRAIN, {}, terms)
        self._dispatch.sent = asked | self._dispatch.sent
        for node, message in zip(attempt.nodes, messages, strict=True):
            told = attempt.told(node.partition_id)
            message.content[RECORD] = attempt.asker.record(told)
        size = sum(message_size(message.content) for message in messages)
        self._attempt = replace(attempt, size=attempt.size + size)
        return messages

    def _opened(self, round: int, cohort: Sequence[Node]) -> Attempt:
        return open_attempt(
            self._grid,
            round,
            cohort,
            sharing(self.config.privacy, len(cohort)),
            scale_of(self.config, self.nodes, len(cohort)),
            self.config.run.seed,
            self.config.federation.round_timeout,
        )

    def _asked(self, round: int) -> Asked:
        """A reply holds words in place of the tensors, and only who has shared may send one."""
        asked, layout = super()._asked(round), masked_layout(self._summed)
        nodes = {node.partition_id: node.node_id for node in self._opened_attempt().nodes}
        return replace(asked, nodes=nodes, tensors=layout, phase_tensors=lambda phase: (MASKED,))

    def _read(self, round: int, replies: Iterable[Message], kept: UpdatesFile) -> Checked:
        attempt = self._opened_attempt()
        checked = super()._read(round, replies, kept)
        return replace(checked, refused=[*attempt.refused, *checked.refused])

    def _combined(self, round: int, checked: Checked) -> dict[str, Tensor]:
        """What the rule makes of the mean, as of one update that is as heavy as all."""
        self._require_enough(round, checked)
        current, attempt = self._summed, self._opened_attempt()
        found = close_attempt(attempt, checked.updates, current)
        new = {
            name: (value.to(torch.float64) + found.mean[name]).to(value.dtype)
            for name, value in current.items()
        }
        self._attempt = None
        self._record(round, found, attempt.scale.step, new)
        return self.rule([Update(0, new, found.weight)], self.tensors)

    def _opened_attempt(self) -> Attempt:
        """Raises TooFewUpdatesError when too few clients have given keys and shares."""
        if isinstance(self._attempt, TooFewUpdatesError):
            raise self._attempt
        assert self._attempt is not None
        return self._attempt

    def _record(self, round: int, found: SecureMean, step: float, new: dict[str, Tensor]) -> None:
        """The bound on the difference from the plain mean: of rounding twice, to steps and types.

        Both means are rounded to the tensors' type, by half of eps each.
        """
        kind = max(
            float(value.abs().max()) * torch.finfo(value.dtype).eps for value in new.values()
        )
        for metric, value in ((BOUND, found.bound + kind), (STEP, step), (SIZE, found.size)):
            self.folder.record(round, "train", metric, value)
        logger.info(
            "round %d: secure mean of %d clients, each number within %.3g of the plain mean's "
            "(%.3g of it for steps of %.3g)",
            *(round, found.clients, found.bound + kind, found.bound, step),
        )


def scale_of(config: RunConfig, nodes: Sequence[Node], clients: int) -> Scale:
    """Of a round that asks so many clients. nodes: all, of which any may be drawn.

    Raises:
        ConfigError: their images are too many to be added up.
    """
    federation = config.federation
    most = federation.max_examples or max(node.num_examples for node in nodes)
    weight = most if federation.weighting == "examples" else 1
    return Scale(config.privacy.clipping_norm, clients, weight)
