"""A chat-completions server on this machine, which answers as a test's script tells it to."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What the server says once. content: the model's words; body: in place of a completion."""

    content: str = ""
    status: int = 200
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class ChatServer:
    """url: of the API. seen: each question's path, headers and body, in the order they came."""

    url: str
    seen: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was posted."""
        return [body for _, _, body in self.seen]


@contextmanager
def chat_server(script: Callable[[int, str], Reply]) -> Iterator[ChatServer]:
    """Serve script(number of the question from 0, its last message) until the block ends."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(server.seen)
                server.seen.append((self.path, dict(self.headers), body))
            reply = script(number, body["messages"][-1]["content"])
            time.sleep(reply.seconds)
            self.answer(reply)

        def do_GET(self) -> None:
            with lock:
                server.seen.append((self.path, dict(self.headers), {}))
            self.answer(Reply(status=404))

        def answer(self, reply: Reply) -> None:
            completion = {"choices": [{"message": {"role": "assistant", "content": reply.content}}]}
            data = (json.dumps(completion) if reply.body is None else reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(data)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """A test's output is not the place."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that left
        server = ChatServer(f"http://127.0.0.1:{http.server_address[1]}/v1")
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
