"""The doctor against servers that really listen, with true and false clocks, versions and TLS."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from simulations.deploy.answers import ask_health, split_address
from simulations.deploy.certificates import make_certificates
from simulations.deploy.checks_data import check_data, check_device
from simulations.deploy.checks_network import check_port, check_superlink, refuse_taken_port
from simulations.deploy.doctor import NodeQuestions, examine_node, examine_superlink
from simulations.deploy.findings import failures
from simulations.deploy.keys import make_keys
from simulations.runner.errors import EngineError
from simulations.runner.superlink import free_port


@contextmanager
def server(
    tls: Path | None = None, ahead: timedelta = timedelta(), flower: str = version("flwr")
) -> Iterator[str]:
    """Something that answers as a SuperLink does; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"info": {"version": flower}}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body if self.path == "/openapi.json" else b"{}")

        def date_time_string(self, timestamp: float | None = None) -> str:
            return format_datetime(datetime.now(UTC) + ahead, usegmt=True)

        def log_message(self, *words: object) -> None:
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls / "server.crt", tls / "server.key")
        http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def test_a_superlink_that_is_well(tmp_path: Path) -> None:
    make_certificates(tmp_path, ["superlink"], days=30)
    with server(tmp_path) as address:
        found = check_superlink(address, tmp_path / "ca.crt")
    assert [(f.check, f.level) for f in found] == [
        ("superlink", "ok"),
        ("clock", "ok"),
        ("version", "ok"),
    ]


@pytest.mark.parametrize(
    ("seconds", "level", "words"),
    [
        (-60, "failed", "60 s ahead of"),
        (60, "warning", "60 s behind"),
        (900, "failed", "900 s behind"),
    ],
)
def test_clocks_that_differ(seconds: int, level: str, words: str) -> None:
    """The other clock is `seconds` ahead of ours; Flower bears 5 s one way and 300 the other."""
    with server(ahead=timedelta(seconds=seconds)) as address:
        clock = check_superlink(address, None)[1]
    assert (clock.check, clock.level) == ("clock", level)
    # Whole seconds are told, so one may be lost on the way.
    nearly = words.replace("900", "899").replace("60", "59"), words.replace("60", "61")
    assert any(each in clock.words for each in (words, *nearly))


def test_another_version_is_named() -> None:
    with server(flower="1.30.0") as address:
        found = check_superlink(address, None)[2]
    assert found.level == "failed"
    assert f"Flower is {version('flwr')} here and 1.30.0 at {address}" in found.words


def test_refused_connections_say_why(tmp_path: Path) -> None:
    make_certificates(tmp_path / "a", ["superlink"], days=30)
    make_certificates(tmp_path / "b", ["superlink"], days=30)
    with server(tmp_path / "a") as address:
        [wrong] = check_superlink(address, tmp_path / "b" / "ca.crt")
        assert "unable to get local issuer certificate" in wrong.words
        [plain] = check_superlink(address, None)
        assert "expect TLS" in plain.words
    with server() as address:
        [no_tls] = check_superlink(address, tmp_path / "a" / "ca.crt")
        assert "answers without TLS" in no_tls.words
    with pytest.raises(EngineError, match="cannot be reached: Connection refused"):
        ask_health(f"127.0.0.1:{free_port()}", None)


@pytest.mark.parametrize("address", ["superlink", "superlink:0", "http://a:80", ":80", "a:65536"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(ConfigError, match="allowed: host:port"):
        split_address(address)


def test_addresses() -> None:
    assert split_address("superlink:8000") == ("superlink", 8000)
    assert split_address("[::1]:8000") == ("::1", 8000)


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        [found] = check_port("127.0.0.1", port)
        assert found.level == "failed"
        assert f"port {port} of 127.0.0.1 cannot be used: Address already in use" in found.words
        with pytest.raises(ConfigError, match="choose another port"):
            refuse_taken_port("127.0.0.1", port)
    refuse_taken_port("127.0.0.1", port)


def test_the_data_of_a_piece(small_run: Callable[..., RunConfig]) -> None:
    run = small_run()
    [found] = check_data("partition-id=1 num-partitions=3", run)
    assert found.level == "ok"
    assert found.words.startswith("partition 1: 4 training")
    [unasked] = check_data("partition-id=1 num-partitions=3", None)
    assert "piece 1 of 3" in unasked.words


def test_the_data_of_a_site(small_run: Callable[..., RunConfig], tmp_path: Path) -> None:
    root = small_run().data.data_dir
    site = f'partition-id=7 data-dir="{root}" dataset="imagefolder"'
    [found] = check_data(site, None)
    assert found.level == "ok"
    assert found.words.startswith("partition 7: ")
    (tmp_path / "empty").mkdir()
    [empty] = check_data(
        f'partition-id=0 data-dir="{tmp_path / "empty"}" dataset="imagefolder"', None
    )
    assert "holds no pictures" in empty.words
    [absent] = check_data('partition-id=0 data-dir="/nowhere" dataset="imagefolder"', None)
    assert "data-dir '/nowhere' is not a folder" in absent.words
    [unknown] = check_data(site + ' classes="unicorn"', None)
    assert "classes names unicorn" in unknown.words


@pytest.mark.parametrize("text", ["partition-id", "partition-id=x num-partitions=2", "a=1"])
def test_a_node_config_that_is_none(text: str) -> None:
    [found] = check_data(text, None)
    assert found.level == "failed"


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_missing_gpu_is_named() -> None:
    [found] = check_device("cuda")
    assert found.level == "failed"
    assert "PyTorch sees no GPU" in found.words
    assert check_device("auto")[0].level == "ok"


def test_examining_a_superlink(tmp_path: Path) -> None:
    make_certificates(tmp_path, ["superlink"], days=30)
    assert not failures(examine_superlink("127.0.0.1", free_port(), tmp_path, "superlink"))
    [wrong] = failures(examine_superlink("127.0.0.1", free_port(), tmp_path, "elsewhere"))
    assert "--host elsewhere" in wrong.words
    [_, open_] = examine_superlink("127.0.0.1", free_port(), None, "")
    assert (open_.level, open_.check) == ("warning", "certificate")


def test_examining_a_node(small_run: Callable[..., RunConfig], tmp_path: Path) -> None:
    make_certificates(tmp_path, ["superlink"], days=30)
    [key] = make_keys(tmp_path, ["site"])
    site = f'partition-id=7 data-dir="{small_run().data.data_dir}" dataset="imagefolder"'
    with server(tmp_path) as address:
        asked = NodeQuestions(address, tmp_path, str(key), site, free_port())
        found = examine_node(asked, None)
    assert not failures(found)
    assert [f.check for f in found] == [
        *("certificate", "key", "superlink", "clock", "version", "port", "device", "data")
    ]
    with pytest.raises(ConfigError, match="no --node-config says"):
        examine_node(NodeQuestions(), ["demo"])
