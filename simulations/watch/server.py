"""The server of the watch page: standard library, this machine alone unless told otherwise."""

import logging
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from fedmvp_core.errors import ConfigError
from fedmvp_core.run_folder import REPORT
from simulations.runner.project import package_folder
from simulations.watch import page
from simulations.watch.folders import (
    is_inside,
    pictures_of,
    stamp_of_list,
    stamp_of_run,
    watched_folders,
)

logger = logging.getLogger(__name__)

HOST, PORT = "127.0.0.1", 8585
ANY_PORT = 0
_HTML, _PNG, _JS = "text/html; charset=utf-8", "image/png", "text/javascript; charset=utf-8"
# Nothing is fetched from elsewhere, and no script runs but ours.
_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Answer(NamedTuple):
    """What a request gets. stamp: of the state that the content shows."""

    content: bytes = b""
    kind: str = _HTML
    status: HTTPStatus = HTTPStatus.OK
    stamp: str = ""


NOT_FOUND = Answer(b"There is no such page.", "text/plain", HTTPStatus.NOT_FOUND)
UNCHANGED = Answer(status=HTTPStatus.NO_CONTENT)
STRANGE_HOST = Answer(b"This page has another address.", "text/plain", HTTPStatus.FORBIDDEN)


class WatchServer(ThreadingHTTPServer):
    """Serves the runs below a folder.

    Raises:
        ConfigError: the address cannot be used.
    """

    daemon_threads = True

    def __init__(self, output_dir: Path, host: str = HOST, port: int = ANY_PORT) -> None:
        self.output_dir = output_dir
        self.anybody = host not in (HOST, "localhost", "::1")
        self.drawing = Lock()  # matplotlib's settings are shared by threads
        self.drawn: dict[str, tuple[str, str]] = {}  # address -> the last stamp and body
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise ConfigError(
                f"port {port} of {host} cannot be used: {error}; give another: --port 8600"
            ) from None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Not on the terminal: a request that failed is the browser's to make again."""
        logger.debug("request of %s failed", client_address, exc_info=True)

    @property
    def url(self) -> str:
        """Where the list of runs is."""
        host, port = str(self.server_address[0]), self.server_address[1]
        return f"http://{host}:{port}/"

    def answer(self, path: str, query: str = "") -> Answer:
        """What a path gets; only the files that the page shows are ever read."""
        parts = [unquote(part, errors="surrogateescape") for part in path.split("/")[1:]]
        if parts == ["watch.js"]:
            script = package_folder("simulations") / "watch" / "watch.js"
            return Answer(script.read_bytes(), _JS)
        folders = watched_folders(self.output_dir)
        if parts[0] != "run":
            return self._list(parts, query, folders)
        folder = folders.get(parts[1]) if len(parts) > 1 else None
        return NOT_FOUND if folder is None else self._run(folder, parts[2:], query)

    def _list(self, parts: list[str], query: str, folders: dict[str, Path]) -> Answer:
        if parts not in ([""], ["live"]):
            return NOT_FOUND
        stamp = stamp_of_list(folders.values())
        return self._page("/live", stamp, lambda: page.list_body(self.output_dir), parts, query)

    def _run(self, folder: Path, parts: list[str], query: str) -> Answer:
        match parts:
            case [] | ["live"]:
                live = f"/run/{page.in_url(folder.name)}/live"
                stamp = stamp_of_run(folder)
                return self._page(live, stamp, lambda: page.run_body(folder), parts, query)
            case ["report.html"]:
                report = folder / REPORT
                found = report.is_file() and is_inside(report, folder)
                return Answer(report.read_bytes()) if found else NOT_FOUND
            case ["picture", place, file]:
                picture = pictures_of(folder).get(f"{place}/{file}")
                return Answer(picture.read_bytes(), _PNG) if picture else NOT_FOUND
        return NOT_FOUND

    def _page(
        self,
        live: str,
        stamp: str,
        body: Callable[[], tuple[str, str]],
        parts: list[str],
        query: str,
    ) -> Answer:
        """The whole page, or what is new in it since the stamp that the browser has."""
        if parts == ["live"] and parse_qs(query).get("seen") == [stamp]:
            return UNCHANGED
        with self.drawing:
            if self.drawn.get(live, ("", ""))[0] != stamp:
                self.drawn[live] = body()
            stamp, html = self.drawn[live]
        if parts != ["live"]:
            html = page.shell("fedmvp", html, stamp, live)
        return Answer(html.encode("utf-8", "backslashreplace"), stamp=stamp)


class _Handler(BaseHTTPRequestHandler):
    """GET and HEAD; a browser that was led here by another site's name is refused."""

    server: WatchServer
    server_version, sys_version = "fedmvp", ""

    def do_GET(self) -> None:  # http.server's name
        """Answer, with a body."""
        self._send(self._answered(), with_body=True)

    def do_HEAD(self) -> None:
        """Answer, without the body."""
        self._send(self._answered(), with_body=False)

    def _answered(self) -> Answer:
        name = (urlsplit(f"//{self.headers.get('Host', '')}").hostname or "").lower()
        if not self.server.anybody and name not in (HOST, "localhost", "::1"):
            return STRANGE_HOST
        asked = urlsplit(self.path)
        try:
            return self.server.answer(asked.path, asked.query)
        except OSError as error:  # a file went while it was read: another run takes its place
            logger.debug("%s: %s", self.path, error)
            return NOT_FOUND

    def _send(self, answer: Answer, with_body: bool) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.content)))
        # A picture's address says when it was written, so that a new one is asked for anew.
        kept = "private, max-age=3600" if answer.kind == _PNG else "no-store"
        self.send_header("Cache-Control", kept)
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        if answer.stamp:
            self.send_header("X-Stamp", answer.stamp)
        self.end_headers()
        if with_body:
            with suppress(ConnectionError):  # the browser has gone on
                self.wfile.write(answer.content)

    def log_message(self, format: str, *args: object) -> None:
        """Not on the terminal."""
        logger.debug(format, *args)


def serving(output_dir: Path, host: str, port: int | None) -> WatchServer:
    """A server on the port, or, if none is asked for, on the usual one or another that is free.

    Raises:
        ConfigError: the port is taken.
    """
    if port is not None:
        return WatchServer(output_dir, host, port)
    try:
        return WatchServer(output_dir, host, PORT)
    except ConfigError:
        return WatchServer(output_dir, host, ANY_PORT)
