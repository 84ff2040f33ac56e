"""`fedmvp watch`: what it serves of run folders, and what it refuses."""

import http.client
import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from made_runs import write_run
from PIL import Image
from typer.testing import CliRunner

from simulations import cli
from simulations.watch.server import WatchServer

ATTACK = "pgd-10 eps=4/255"
REFUSED = "client 3: its update has norm 9.1 & <b>more</b>"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """runs/ beside a run that is in none of its business."""
    write_run(tmp_path / "elsewhere" / "private")
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def server(output: Path) -> Iterator[WatchServer]:
    with WatchServer(output) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield made
        made.shutdown()


def asked(
    server: WatchServer, path: str, host: str | None = None, verb: str = "GET"
) -> tuple[int, str, http.client.HTTPMessage]:
    """Status, body and head, of a path sent as it is written here."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)) as line:
        line.request(verb, path, headers={"Host": host} if host else {})
        answer = line.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace"), answer.headers


def test_a_run_that_is_being_written(server: WatchServer, output: Path) -> None:
    folder = write_run(output / "going", done=7, status="running", attack=ATTACK)
    refused = {"event": "refused", "round": 7, "kind": "norm", "reason": REFUSED}
    answered = {"event": "answered", "round": 8, "answered": 2, "clients": 6}
    with (folder / "progress.jsonl").open("a") as file:
        file.write(f'{json.dumps(refused)}\n\n{json.dumps(answered)}\n{{"event": "rou')
    for number, when in enumerate((1000, 1010, 1020)):  # two rounds of ten seconds, 15 to come
        for suffix in ("json", "safetensors"):
            path = folder / "checkpoints" / f"round-{3 + number:04d}.{suffix}"
            path.parent.mkdir(exist_ok=True)
            path.touch()
            os.utime(path, (when, when))
    status, body, head = asked(server, "/run/going")
    assert status == 200
    assert body.count("</svg>") == 7  # accuracy, loss, three attacked splits, seconds, failed
    for words in (
        *("7 of 20</b> rounds done", "round 8 of 20: 2 of 6 clients have answered"),
        *("Local 70.6", "robust 28.2", "client 5", 'class="yes"'),
        *("norm 9.1 &amp; &lt;b&gt;more", "last sign of life"),
        *('data-until="1170.0"', "<code>template</code>"),
    ):
        assert words in body, words
    stamp = head["X-Stamp"]
    assert f'data-tag="{stamp}"' in body
    assert asked(server, f"/run/going/live?seen={stamp}")[:2] == (204, "")
    with (folder / "progress.jsonl").open("a") as file:
        file.write('nd", "round": 8, "loss": 0.5, "clients": 6, "seconds": 1.0}\n')
    status, body, head = asked(server, f"/run/going/live?seen={stamp}")
    assert status == 200
    assert "<html" not in body
    assert head["X-Stamp"] != stamp
    assert asked(server, "/run/going", verb="HEAD")[:2] == (200, "")


def test_ends_and_beginnings(server: WatchServer, output: Path) -> None:
    write_run(output / "bad", done=3, status="failed", error="client 2 holds <no> picture")
    write_run(output / "good")
    (output / "good" / "app.log").write_text("INFO: <script>alert(1)</script>\n")
    assert (
        "This run failed</b> after 3 of 20 rounds.<br>client 2 holds &lt;no&gt; picture"
        in (asked(server, "/run/bad")[1])
    )
    finished = asked(server, "/run/good")[1]
    assert "&lt;script&gt;alert" in finished
    assert "data-until" not in finished
    begun = output / "begun"
    begun.mkdir()
    (begun / "status.json").write_text('{"status": "running", "rounds": 20}')
    status, body, _ = asked(server, "/run/begun")
    assert (status, "cannot be read now" in body) == (200, True)
    (begun / "config.json").write_text('{"method": "fedmvp"}')
    assert "loading weights and data" in asked(server, "/run/begun")[1]
    (begun / "config.json").write_text("[3]")
    assert "expected a dict" in asked(server, "/run/begun")[1]
    listed = asked(server, "/")[1]
    for words in ("bad", "good", "begun", "20 of 20", "52.0", "Harmonic mean"):
        assert words in listed


def test_an_empty_folder_says_what_to_do(server: WatchServer, output: Path) -> None:
    assert "fedmvp demo" in asked(server, "/")[1]
    output.rmdir()
    assert "There is no run here yet" in asked(server, "/")[1]
    write_run(output / "mine")
    assert 'href="/run/mine"' in asked(server, "/live?seen=other")[1]


AWKWARD = '<img src=x onerror="alert(1)">&amp; ü %2e #1?'


def test_names_are_escaped_and_found_again(server: WatchServer, output: Path) -> None:
    write_run(output / AWKWARD)
    body = asked(server, "/")[1]
    assert "<img" not in body
    link = body.split('href="/run/')[1].split('"')[0]
    status, body, _ = asked(server, f"/run/{link}")
    assert status == 200
    assert "<img" not in body
    assert "&lt;img src=x" in body


def test_pictures_and_the_report(server: WatchServer, output: Path) -> None:
    folder = write_run(output / "mine")
    (folder / "attacks").mkdir()
    Image.new("RGB", (4, 4)).save(folder / "attacks" / "pgd-10 eps.png")
    (folder / "report.html").write_text("the report")
    body = asked(server, "/run/mine")[1]
    assert 'src="/run/mine/picture/attacks/pgd-10%20eps.png?' in body
    status, _, head = asked(server, "/run/mine/picture/attacks/pgd-10%20eps.png")
    assert (status, head["Content-Type"]) == (200, "image/png")
    assert asked(server, "/run/mine/report.html")[1] == "the report"


@pytest.mark.parametrize(
    "path",
    [
        *("/run", "/run/", "/run/..", "/run/../elsewhere/private", "/run/%2e%2e", "/etc/passwd"),
        *("/run/..%2felsewhere%2fprivate", "/run/mine/..", "/run/mine/config.json", "/run/.hidden"),
        *("/run/mine/picture/attacks/../../config.json", "/run/mine/picture/..%2f/config.json"),
        *("/run/mine/picture/attacks/leak.png", "/run/mine/picture/attacks/none.png"),
        *("/run/linked", "/run/linked/report.html", "/run/mine/report.html", "/run/mine%00"),
        *("/live/", "/watch.js/..", "/page.py", "/run/mine/live/more"),
    ],
)
def test_nothing_else_is_served(server: WatchServer, output: Path, path: str) -> None:
    """Links that lead out of the output folder, or out of the run, included."""
    folder, private = write_run(output / "mine"), output.parent / "elsewhere" / "private"
    (folder / "attacks").mkdir()
    (folder / "attacks" / "leak.png").symlink_to(private / "config.json")
    (folder / "report.html").symlink_to(private / "config.json")
    (output / "linked").symlink_to(private)
    status, body, _ = asked(server, path)
    assert (status, body) == (404, "There is no such page.")
    assert "links to another place: linked" in asked(server, "/")[1]


def test_a_site_that_leads_here_by_its_own_name_is_refused(
    server: WatchServer, output: Path
) -> None:
    write_run(output / "mine")
    for host, status in (("localhost:1", 200), ("127.0.0.1", 200), ("evil.example:8585", 403)):
        assert asked(server, "/run/mine", host)[0] == status
    assert asked(server, "/", verb="POST")[0] == 501
    policy = asked(server, "/")[2]["Content-Security-Policy"]
    assert "default-src 'none'" in policy


def test_the_command_says_what_is_wrong(
    server: WatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    taken = CliRunner().invoke(cli.app, ["watch", "--port", str(server.server_port)])
    assert taken.exit_code == 2
    assert f"port {server.server_port} of 127.0.0.1 cannot be used" in taken.stderr
    assert "--port 8600" in taken.stderr
    unknown = CliRunner().invoke(cli.app, ["watch", "nothing"])
    assert unknown.exit_code == 2
    assert "no run 'nothing'" in unknown.stderr


def test_the_command_serves_until_it_is_interrupted(output: Path) -> None:
    write_run(output / "mine")
    command = [sys.executable, "-m", "simulations", "watch", "mine", "--no-browser", "--port", "0"]
    with subprocess.Popen(
        command, cwd=output.parent, stdout=subprocess.PIPE, text=True, restore_signals=True
    ) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            url = said.removeprefix("watch: ").strip()
            assert url.endswith("/run/mine"), said
            with urllib.request.urlopen(url, timeout=120) as answer:
                assert b"20 of 20</b> rounds done" in answer.read()
            process.terminate()  # SIGINT is ignored where the tests run in the background
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
