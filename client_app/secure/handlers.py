"""The handlers of secure aggregation's questions beside the training, for a ClientApp."""

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from client_app.exit_check import check_secure, keep_words
from client_app.node import Holding, read_node
from client_app.requests import SENDER, check_server_sources
from client_app.secure.stages import answer_keys, answer_shares, answer_unmask
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import WireError
from fedmvp_core.json_logs import follow_config
from fedmvp_core.secure.records import ASK_KEYS, ASK_SHARES, ASK_UNMASK, RECORD, Value


def answer_secure_questions(app: ClientApp) -> None:
    """Let an app answer them; those of a run without secure aggregation are refused."""

    @app.query(ASK_KEYS, mods=[keep_words])
    def query_keys(message: Message, context: Context) -> Message:
        """Public keys for an attempt at a round."""
        holding = _asked(message, context)[1]
        return _reply(message, answer_keys(message, context.state, holding.partition_id))

    @app.query(ASK_SHARES, mods=[keep_words])
    def query_shares(message: Message, context: Context) -> Message:
        """Sealed shares of this client's secrets, one for each neighbour."""
        config = _asked(message, context)[0]
        return _reply(message, answer_shares(message, context.state, config))

    @app.query(ASK_UNMASK, mods=[keep_words])
    def query_unmask(message: Message, context: Context) -> Message:
        """Shares of the secrets that take the masks off the sum."""
        _asked(message, context)
        return _reply(message, answer_unmask(message, context.state))


def _asked(message: Message, context: Context) -> tuple[RunConfig, Holding]:
    """Who is asked; raises WireError when the server runs other code or the run has no masks."""
    check_server_sources(message)
    config, holding = read_node(context.node_config, context.run_config)
    follow_config(config.run, client=holding.partition_id)
    if not config.privacy.secure_aggregation:
        raise WireError(f"{SENDER} asks for keys and shares, but secure-aggregation is false")
    return config, holding


def _reply(message: Message, answer: dict[str, Value]) -> Message:
    content = RecordDict({RECORD: ConfigRecord(dict(answer))})
    check_secure(content)
    return Message(content, reply_to=message)
