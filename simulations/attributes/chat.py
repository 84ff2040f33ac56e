"""One question to an OpenAI-compatible chat-completions server, with the standard library."""

import json
import re
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPException
from typing import IO, Any, TypeAlias
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from fedmvp_core.errors import ConfigError, FedMVPError

ChatMessage: TypeAlias = Mapping[str, str]  # role and content
BUSY = (408, 425, 429)  # and 5xx: asking again may help
REFUSED = (401, 403)
MAX_BYTES = 1_000_000
SHOWN = 200  # characters of a server's own words


class EndpointError(FedMVPError):
    """The server cannot be used at all; asking again would not help."""


class BusyError(FedMVPError):
    """The server may answer later; retry_after is its own wish in seconds, if it has one."""

    def __init__(self, sentence: str, retry_after: float = 0.0) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class AnswerError(FedMVPError):
    """An answer came, but it does not hold what was asked for."""


@dataclass(frozen=True)
class Endpoint:
    """Where and what to ask. url: of the API, such as "http://localhost:8000/v1".

    temperature: None = the server's own. timeout: seconds without a byte from the server.

    Raises:
        ConfigError: the URL or the key cannot be sent.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    temperature: float | None = 0.7
    timeout: float = 120.0

    def __post_init__(self) -> None:
        if not _can_be_asked(self.url):
            # Without what may hold a secret: user, password, query.
            shown = re.sub(r"//[^/]*@", "//", re.split(r"[?#]", self.url)[0])
            raise ConfigError(
                f"endpoint is '{shown}'; allowed: http(s)://host[:port]/path without user, "
                "password or query, such as http://localhost:8000/v1; a key goes into --api-key-env"
            )
        if not (self.key.isascii() and self.key.isprintable()) or " " in self.key:
            raise ConfigError("the API key holds a character that no HTTP header can carry")

    @property
    def address(self) -> str:
        """The URL that questions are posted to."""
        stem = self.url.rstrip("/")
        return stem if stem.endswith("/chat/completions") else f"{stem}/chat/completions"


def _can_be_asked(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # either may raise
    except ValueError:
        return False
    secret = "@" in parts.netloc or parts.query or parts.fragment
    odd = not url.isascii() or not url.isprintable() or " " in url
    return parts.scheme in ("http", "https") and bool(host) and not secret and not odd


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another host."""

    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


def complete(endpoint: Endpoint, messages: Sequence[ChatMessage], seed: int | None) -> str:
    """The model's answer to a conversation; seed: None = the server's own.

    Raises:
        EndpointError: no connection, the key is refused, the model is unknown, any other status.
        BusyError: 408, 425, 429, 5xx, a timeout or a connection that broke.
        AnswerError: 200, but without an answer.
    """
    request = urllib.request.Request(
        endpoint.address,
        data=json.dumps(_question(endpoint, messages, seed)).encode(),
        headers={"Content-Type": "application/json", "Accept": "application/json"},
        method="POST",
    )
    if endpoint.key:
        request.add_unredirected_header("Authorization", f"Bearer {endpoint.key}")
    try:
        opener = urllib.request.build_opener(_NoRedirect)
        with opener.open(request, timeout=endpoint.timeout) as response:
            data: bytes = response.read(MAX_BYTES)
    except HTTPError as error:
        raise _for_status(endpoint, error) from None
    except URLError as error:
        if isinstance(error.reason, TimeoutError | ConnectionResetError | BrokenPipeError):
            raise BusyError(f"'{endpoint.url}' does not answer: {error.reason}") from None
        raise EndpointError(
            f"no connection to '{endpoint.url}': {error.reason}; is the server running?"
        ) from None
    except (OSError, HTTPException) as error:
        what = str(error) or type(error).__name__
        raise BusyError(f"'{endpoint.url}' broke off its answer: {what}") from None
    return _content(data)


def _question(
    endpoint: Endpoint, messages: Sequence[ChatMessage], seed: int | None
) -> dict[str, Any]:
    question: dict[str, Any] = {"model": endpoint.model, "messages": list(messages)}
    if seed is not None:
        question["seed"] = seed
    if endpoint.temperature is not None:
        question["temperature"] = endpoint.temperature
    return question


def _content(data: bytes) -> str:
    try:
        content = json.loads(data)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise AnswerError("the server's reply is no chat completion") from None
    if not isinstance(content, str) or not content.strip():
        raise AnswerError("the answer is empty")
    return content


def _for_status(endpoint: Endpoint, error: HTTPError) -> FedMVPError:
    """The error that an HTTP status stands for."""
    status, words = error.code, _words(endpoint, error)
    if status in REFUSED:  # without its words: some servers repeat the key
        given = "the key is refused" if endpoint.key else "it wants a key: --api-key-env NAME"
        return EndpointError(f"'{endpoint.url}' answers HTTP {status}: {given}")
    if status in BUSY or status >= 500:
        wish = error.headers.get("Retry-After", "")
        seconds = float(wish) if wish.isdecimal() else 0.0
        return BusyError(f"'{endpoint.url}' answers HTTP {status}: {words}", seconds)
    if status in (400, 404, 422) and "model" in words.lower():
        return EndpointError(f"model '{endpoint.model}' is unknown to '{endpoint.url}': {words}")
    return EndpointError(f"'{endpoint.address}' answers HTTP {status}: {words}")


def _words(endpoint: Endpoint, error: HTTPError) -> str:
    """What the server says of its error, in one short line that never holds the key."""
    try:
        text = error.read(MAX_BYTES).decode("utf-8", "replace")
    except (OSError, HTTPException):
        text = ""
    with suppress(ValueError, LookupError, TypeError, RecursionError):
        text = str(json.loads(text)["error"]["message"])
    if endpoint.key:
        text = text.replace(endpoint.key, "***")
    # No escape sequence of a server's may reach the terminal.
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return words[:SHOWN] or str(error.reason)
