"""Exports on a hub: a small one on 127.0.0.1 that the real client reads."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fedmvp_core.errors import CheckpointError, ConfigError
from fedmvp_core.tuned import MODEL_FILE, hub

COMMIT = "0" * 39 + "1"
# A process of its own: the client reads HF_ENDPOINT when it is imported.
CLIENT = """
import sys
import fedmvp
from fedmvp_core.errors import FedMVPError
from fedmvp_core.tuned import hub
from pathlib import Path
try:
    what, hub_id = sys.argv[1:3]
    if what == "load":
        print(fedmvp.load(hub_id, device="cpu"))
    else:
        print(sorted(path.name for path in hub.pull(hub_id, Path(sys.argv[3])).iterdir()))
except FedMVPError as error:
    print(type(error).__name__, error)
"""


class FakeHub(BaseHTTPRequestHandler):
    """Answers what a client asks who downloads files of repositories; repositories: id -> files."""

    repositories: Mapping[str, Mapping[str, bytes]] = {}

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        path = self.path.partition("?")[0].strip("/")
        hub_id = "/".join(path.removeprefix("api/models/").split("/")[:2])
        files = self.repositories.get(hub_id)
        if files is None:
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"}, with_body)
        elif path.startswith("api/models/") and "/tree/" in path:
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": _etag(data)}
                for name, data in files.items()
            ]
            self._send(200, json.dumps(tree).encode(), {}, with_body)
        elif path.startswith("api/models/"):
            siblings = [{"rfilename": name} for name in files]
            info = {"id": hub_id, "modelId": hub_id, "sha": COMMIT, "siblings": siblings}
            self._send(200, json.dumps(info).encode(), {}, with_body)
        elif (name := path.rpartition("/")[2]) in files:
            facts = {"ETag": f'"{_etag(files[name])}"', "X-Repo-Commit": COMMIT}
            self._send(200, files[name], facts, with_body)
        else:
            facts = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}
            self._send(404, b"", facts, with_body)

    def _send(self, code: int, body: bytes, facts: Mapping[str, str], with_body: bool) -> None:
        self.send_response(code)
        for name, value in {**facts, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def _etag(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@pytest.fixture
def endpoint(exported: Path) -> Iterator[str]:
    """The address of a hub with an export, a damaged one, and a repository of something else."""
    files = {path.name: path.read_bytes() for path in exported.iterdir()}
    FakeHub.repositories = {
        "someone/ants": files,
        "someone/bent": {**files, MODEL_FILE: files[MODEL_FILE][:-9]},
        "someone/words": {"README.md": b"words"},
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def asked(endpoint: str, home: Path, *words: str) -> str:
    settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    settings |= {"NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    env = {name: v for name, v in os.environ.items() if "proxy" not in name.lower()} | settings
    env |= {"HF_HUB_OFFLINE": "0", "HF_HUB_DOWNLOAD_TIMEOUT": "2", "HF_HUB_ETAG_TIMEOUT": "2"}
    command = [sys.executable, "-c", CLIENT, *words]
    done = subprocess.run(
        command, env=env, cwd=home, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_on_the_hub_is_loaded_and_pulled(endpoint: str, tmp_path: Path) -> None:
    assert "TunedCLIP(method='promptfl'" in asked(endpoint, tmp_path, "load", "someone/ants")
    said = asked(endpoint, tmp_path, "pull", "someone/ants", str(tmp_path / "mine"))
    assert MODEL_FILE in said
    assert "README.md" in said


def test_what_the_hub_has_not_is_told(endpoint: str, tmp_path: Path) -> None:
    said = asked(endpoint, tmp_path, "load", "someone/words")
    assert said.startswith("CheckpointError 'someone/words' on the hub is no fedmvp export")
    said = asked(endpoint, tmp_path, "pull", "someone/nothing", str(tmp_path / "mine"))
    assert "no repository on the hub that you may read" in said
    assert not (tmp_path / "mine").exists()
    said = asked(endpoint, tmp_path, "load", "someone/bent")
    assert "CheckpointError" in said


def test_without_a_network_it_says_so(tmp_path: Path) -> None:
    said = asked("http://127.0.0.1:9", tmp_path, "load", "someone/ants")
    assert said.startswith("CheckpointError 'someone/ants' is no folder here")
    assert "without a network" in said


class Api:
    """The calls that a push makes."""

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def create_repo(self, hub_id: str, **words: Any) -> str:
        if self.refuses:
            raise OSError("401 Client Error\nmore")
        self.calls.append((hub_id, words))
        return f"https://hub/{hub_id}"

    def upload_folder(self, **words: Any) -> SimpleNamespace:
        self.calls.append((words["repo_id"], words))
        return SimpleNamespace()


def test_a_push_makes_the_repository_and_puts_the_export_there(exported: Path) -> None:
    api = Api()
    assert hub.push(exported, "someone/ants", private=True, api=api) == "https://hub/someone/ants"
    made, put = api.calls
    assert made == ("someone/ants", {"private": True, "exist_ok": True})
    assert put[1]["folder_path"] == exported
    assert MODEL_FILE in put[1]["allow_patterns"]


def test_a_push_that_cannot_be_is_refused(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hub id is 'ants'; allowed: ORG/NAME"):
        hub.push(exported, "ants", api=Api())
    with pytest.raises(CheckpointError, match="cannot be read as a tuned model"):
        hub.push(tmp_path, "someone/ants", api=Api())
    with pytest.raises(CheckpointError, match="401 Client Error; a token"):
        hub.push(exported, "someone/ants", api=Api(refuses=True))
