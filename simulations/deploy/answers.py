"""What a SuperLink or SuperNode tells anybody over HTTP: its health, its time, its version."""

import json
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

from fedmvp_core.errors import ConfigError
from simulations.runner.errors import EngineError

_SECONDS = 5.0
_PORTS = range(1, 65536)


@dataclass(frozen=True)
class Answer:
    """What the other side said. date: of its clock, or None. version: of its Flower, or ""."""

    status: int
    date: datetime | None
    version: str


def split_address(address: str) -> tuple[str, int]:
    """Host and port of "host:port" or "[v6]:port".

    Raises:
        ConfigError: it is neither.
    """
    host, _, port = address.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not host or "/" in host or not port.isdigit() or int(port) not in _PORTS:
        raise ConfigError(f"address is '{address}'; allowed: host:port, such as superlink:8000")
    return host, int(port)


def ask_health(address: str, authority: Path | None, ask_version: bool = False) -> Answer:
    """GET /health; and the version, which Flower tells in its description of the interface.

    authority: the certificate that must have signed the other side's; None: no TLS.

    Raises:
        EngineError: nobody answers, with TLS or without it, in a way that the sentence names.
    """
    try:
        status, date, _ = _get(address, authority, "/health")
        version = _version(_get(address, authority, "/openapi.json")[2]) if ask_version else ""
    except ssl.SSLCertVerificationError as error:
        raise EngineError(
            f"the certificate of {address} is refused: {error.verify_message}; expected one that "
            f"{authority} signed, for this name (fedmvp deploy certificates --host)"
        ) from None
    except ssl.SSLError as error:
        raise EngineError(
            f"{address} answers without TLS, which {authority} asks for, or in another way: "
            f"{error.reason or error}"
        ) from None
    except (HTTPException, ConnectionResetError) as error:
        hint = "it may expect TLS: name the folder of its ca.crt" if authority is None else ""
        raise EngineError(
            f"{address} does not speak HTTP: {type(error).__name__}{hint and '; ' + hint}"
        ) from None
    except OSError as error:
        raise EngineError(
            f"{address} cannot be reached: {error.strerror or error}; see that the SuperLink runs, "
            "that the name is right, and that no firewall stands between"
        ) from None
    return Answer(status, date, version)


def _get(address: str, authority: Path | None, path: str) -> tuple[int, datetime | None, bytes]:
    host, port = split_address(address)
    connection: HTTPConnection
    if authority is None:
        connection = HTTPConnection(host, port, timeout=_SECONDS)
    else:
        context = ssl.create_default_context(cafile=str(authority))
        connection = HTTPSConnection(host, port, timeout=_SECONDS, context=context)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        date = response.getheader("Date")
        return response.status, parsedate_to_datetime(date) if date else None, response.read()
    finally:
        connection.close()


def _version(description: bytes) -> str:
    try:
        return str(json.loads(description)["info"]["version"])
    except (ValueError, KeyError, TypeError):
        return ""
