"""What a client is sent, read and checked before anything is done with it."""

from collections.abc import Mapping
from dataclasses import dataclass

from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from torch import Tensor

from client_app.kept import MOMENTUM
from client_app.state import merge_received
from client_app.worker import new_prompting
from fedmvp_core import protocol
from fedmvp_core.code_version import check_sources
from fedmvp_core.config import RunConfig, TrainingSection
from fedmvp_core.errors import WireError
from fedmvp_core.exchange import prompt_part, travelling_tensors
from fedmvp_core.json_logs import note
from fedmvp_core.local.model import LocalRound
from fedmvp_core.prompting import Prompting
from fedmvp_core.terms.term import ConfiguredTerm, configured_terms, of_terms

SENDER = "the server"


@dataclass(frozen=True)
class Request:
    """What the server asks for: the words and numbers beside the tensors, decoded once.

    class_names: all classes that the federation trains on. phase: "" where nothing is trained.
    strategy_config: what a plugin's strategy tells clients.
    """

    round: int
    run_id: str
    phase: str
    class_names: tuple[str, ...]
    terms: list[tuple[str, str]]
    strategy_config: dict[str, protocol.Scalar]


@dataclass(frozen=True)
class Received:
    """The global tensors of a round.

    prompting: the method's module, with these tensors. tensors: all that travel, in the schema's
    order. prompts: the same in bytes, as they came.
    """

    request: Request
    prompting: Prompting
    tensors: dict[str, Tensor]
    prompts: ArrayRecord
    terms: list[ConfiguredTerm]

    def take_up(self, kept: Mapping[str, Tensor]) -> None:
        """Put the client's personal prompt tensors, among those it kept, into the module."""
        personal = self.prompting.personal_tensors()
        self.prompting.load_prompt_tensors({n: t for n, t in kept.items() if n in personal})

    def local_round(self, kept: Mapping[str, Tensor], training: TrainingSection) -> LocalRound:
        """What holds for all steps of this round, on the module's device."""
        own = prompt_part(self.tensors, self.prompting)
        device = next((p.device for p in self.prompting.parameters()), None)
        exchanged = of_terms(self.terms, self.tensors)
        return LocalRound(
            number=self.request.round,
            phase=self.request.phase,
            received={name: value.to(device) for name, value in own.items()},
            exchanged={t: {n: v.to(device) for n, v in of.items()} for t, of in exchanged.items()},
            kept={
                term.name: {
                    name: kept.get(f"{term.name}/{name}", start).to(device)
                    for name, start in term.kept(own).items()
                }
                for term, _ in self.terms
            },
            momentum={
                name.removeprefix(MOMENTUM): buffer.to(device)
                for name, buffer in kept.items()
                if training.keep_momentum and name.startswith(MOMENTUM)
            },
            multi_label_loss=training.multi_label_loss,
            strategy_config=self.request.strategy_config,
        )


def read_request(message: Message) -> Request:
    """The words and numbers of a message to train or to evaluate.

    Raises:
        WireError: other sources than the server's, or something is missing or of another kind.
    """
    check_server_sources(message)
    facts = config_of(message)
    number = protocol.integer(facts, protocol.ROUND, SENDER)
    note(round=number)
    return Request(
        round=number,
        run_id=protocol.run_id_of(facts, SENDER),
        phase=str(facts.get(protocol.PHASE, "")),
        class_names=class_names_of(message),
        terms=protocol.terms_of(facts, SENDER),
        strategy_config=protocol.strategy_config_of(facts, SENDER),
    )


def receive(message: Message, state: RecordDict, config: RunConfig) -> Received:
    """What the message brings, with what the client still holds of earlier ones in its state.

    Raises:
        WireError: other sources than the server's, another schema, missing or damaged tensors.
    """
    request = read_request(message)
    terms = configured_terms(request.terms)
    merged = merged_prompts(message, state)
    tensors = protocol.decoded(merged.to_torch_state_dict, SENDER)
    prompting = new_prompting(config, request.class_names)
    schema = travelling_tensors(prompting, terms)
    expected = str(config_of(message).get(protocol.SCHEMA))
    protocol.check_schema(protocol.schema_hash(schema), expected, SENDER)
    # The merge may have changed the order; the schema's order is the one that counts.
    protocol.check_prompt_tensors(tensors, schema, schema, SENDER)
    ordered = {name: tensors[name] for name in schema}
    prompting.load_prompt_tensors(prompt_part(ordered, prompting))
    return Received(request, prompting, ordered, merged, terms)


def merged_prompts(message: Message, state: RecordDict) -> ArrayRecord:
    """The tensors of the message over those that the client still holds.

    Raises:
        WireError: there are none, or the server counts on some that this client no longer holds.
    """
    prompts = message.content.get(protocol.PROMPTS)
    if not isinstance(prompts, ArrayRecord):
        raise WireError(f"{SENDER}: the message holds no prompt tensors")
    cached = protocol.integer(config_of(message), protocol.CACHED_ROUND, SENDER)
    return merge_received(state, prompts, cached)


def config_of(message: Message) -> ConfigRecord:
    """The words and numbers that go with the tensors; raises WireError when there are none."""
    record = message.content.get(protocol.CONFIG)
    if not isinstance(record, ConfigRecord):
        raise WireError(f"{SENDER}: the message holds no '{protocol.CONFIG}'")
    return record


def class_names_of(message: Message) -> tuple[str, ...]:
    """All classes that the federation trains on; raises WireError when there is no list of them."""
    return protocol.names_of(config_of(message), protocol.CLASS_NAMES, SENDER)


def check_server_sources(message: Message) -> None:
    """Raises WireError when the server runs other code than this client."""
    facts = config_of(message)
    check_sources(str(facts.get(protocol.SOURCES)), str(facts.get(protocol.SOURCE_FOLDER)))
