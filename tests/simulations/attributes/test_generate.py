"""Phrases from a language model: against a server of this test's own, with its failures."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Reply, chat_server
from small_pictures import write_folder
from typer.testing import CliRunner

from fedmvp_core.attributes.files import read_attributes
from fedmvp_core.errors import ConfigError, DataError
from simulations import cli
from simulations.attributes.answer import question, read_phrases
from simulations.attributes.chat import (
    AnswerError,
    BusyError,
    Endpoint,
    EndpointError,
    complete,
)
from simulations.attributes.classes import chosen_classes, dataset_classes, read_class_names
from simulations.attributes.generate import Patience, Request, ask, generate

KEY = "sk-very-secret-4711"
AT_ONCE = Patience(attempts=4, first=0.001, longest=0.002)
TWO = Request(count=2)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def words_for(text: str, count: int = 2) -> str:
    """A usable answer that tells which class was asked for."""
    found = re.search(r'"(\w[^"]*)" is recognised', text)
    return json.dumps([f"{found[1] if found else 'it'} trait {i}" for i in range(count)])


def good(number: int, text: str) -> Reply:
    return Reply(words_for(text))


def first_then_good(*replies: Reply) -> Callable[[int, str], Reply]:
    return lambda number, text: replies[number] if number < len(replies) else good(number, text)


class Runs:
    """Generates into files of a test's folder and remembers the reports."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "out.json"
        self.reports: list[tuple[str, str]] = []

    def __call__(
        self, server: ChatServer, names: tuple[str, ...], resume: bool = False, **over: Any
    ) -> dict[str, str]:
        return generate(
            over.get("endpoint", Endpoint(server.url, "m", KEY)),
            over.get("request", TWO),
            names,
            over.get("out", self.out),
            resume,
            over.get("cache", self.folder / "cache"),
            AT_ONCE,
            lambda name, what: self.reports.append((name, what)),
        )


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_one_question_a_class_in_the_order_of_the_classes(runs: Runs) -> None:
    with chat_server(good) as server:
        assert runs(server, ("bee", "fire ant")) == {}
    assert list(read_attributes(runs.out).items()) == [
        ("bee", ("bee trait 0", "bee trait 1")),
        ("fire ant", ("fire ant trait 0", "fire ant trait 1")),
    ]
    assert [path for path, _, _ in server.seen] == ["/v1/chat/completions"] * 2
    assert all(headers["Authorization"] == f"Bearer {KEY}" for _, headers, _ in server.seen)
    body = server.bodies[1]
    assert (body["model"], body["temperature"], body["seed"]) == ("m", 0.7, 1)
    assert body["messages"] == [{"role": "user", "content": question(TWO.prompt, "fire ant", 2)}]


def test_the_servers_own_sampling_and_no_key(runs: Runs) -> None:
    with chat_server(good) as server:
        bare = Endpoint(server.url + "/chat/completions", "m", temperature=None)
        runs(server, ("bee",), endpoint=bare, request=Request(2, seed=None))
    path, headers, body = server.seen[0]
    assert path == "/v1/chat/completions"
    assert "Authorization" not in headers
    assert set(body) == {"model", "messages"}


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_busy_server_is_asked_again(runs: Runs, status: int) -> None:
    with chat_server(first_then_good(Reply(status=status), Reply(status=status))) as server:
        assert runs(server, ("bee",)) == {}
    assert [body["seed"] for body in server.bodies] == [1, 2, 3]
    assert all(len(body["messages"]) == 1 for body in server.bodies)


def test_a_server_that_stays_busy_stops_everything(runs: Runs) -> None:
    def script(number: int, text: str) -> Reply:
        busy = Reply(status=429, body='{"error": {"message": "slow down"}}')
        return good(number, text) if number == 0 else busy

    with (
        chat_server(script) as server,
        pytest.raises(EndpointError, match=r"HTTP 429: slow down \(4 attempts\)"),
    ):
        runs(server, ("bee", "ant", "cow"))
    assert len(server.seen) == 1 + AT_ONCE.attempts
    assert list(read_attributes(runs.out)) == ["bee"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("Here you are: wings, legs", "no JSON array"),
        ('["wings", "le', "no JSON array"),
        ('["wings"]', "holds 1 phrases, not 2"),
        ('["wings", "legs", "eyes"]', "holds 3 phrases, not 2"),
        ('["wings", ""]', "not every entry is a string"),
        ('["wings", 3]', "not every entry is a string"),
        ('["wings", "Wings."]', "comes twice"),
        (json.dumps(["wings", "x" * 121]), "more than 120 characters"),
        ('["wings", "\\u001b[2J"]', "control characters"),
    ],
)
def test_an_unusable_answer_is_asked_for_again_with_the_reason(
    runs: Runs, answer: str, problem: str
) -> None:
    with pytest.raises(AnswerError, match=problem):
        read_phrases(answer, 2)
    with chat_server(first_then_good(Reply(answer))) as server:
        assert runs(server, ("bee",)) == {}
    first, second = server.bodies
    assert second["messages"][:2] == [
        *first["messages"],
        {"role": "assistant", "content": answer},
    ]
    assert problem in second["messages"][2]["content"]
    assert runs.reports == [("bee", "asked")]


@pytest.mark.parametrize("body", ["<html>", "[]", '{"choices": []}', '{"choices": [{}]}'])
def test_a_reply_that_is_no_completion_is_asked_for_again(runs: Runs, body: str) -> None:
    with chat_server(first_then_good(Reply(body=body), Reply(content=" "))) as server:
        assert runs(server, ("bee",)) == {}
    assert [len(body["messages"]) for body in server.bodies] == [1, 1, 1]


@pytest.mark.parametrize(
    "answer",
    [
        '["wings", "six legs."]',
        '```json\n["wings", "six  legs"]\n```',
        'Sure: ["wings", "six legs"] Anything else?',
        '{"attributes": ["wings", "six legs"]}',
        '<think>maybe ["a"]?</think>["wings", "six legs"]',
    ],
)
def test_forms_of_a_usable_answer(answer: str) -> None:
    assert read_phrases(answer, 2) == ("wings", "six legs")


def test_a_class_without_usable_answer_is_named_and_the_others_kept(runs: Runs) -> None:
    def script(number: int, text: str) -> Reply:
        return Reply("no") if "ant" in text or number in (2, 3, 4) else good(number, text)

    with chat_server(script) as server:
        assert runs(server, ("bee", "ant", "cow")) == {"ant": "it holds no JSON array"}
        assert len(server.seen) == 2 + AT_ONCE.attempts
        assert list(read_attributes(runs.out)) == ["bee", "cow"]
    with chat_server(good) as server:
        assert runs(server, ("bee", "ant", "cow"), resume=True) == {}
    assert len(server.seen) == 1
    assert list(read_attributes(runs.out)) == ["bee", "ant", "cow"]


def test_a_slow_server_times_out_and_is_asked_again(runs: Runs) -> None:
    with chat_server(first_then_good(Reply(seconds=0.5))) as server:
        quick = Endpoint(server.url, "m", timeout=0.1)
        assert runs(server, ("bee",), endpoint=quick) == {}
    assert len(server.seen) == 2


def test_an_answer_that_breaks_off_is_asked_for_again(runs: Runs) -> None:
    cut = Reply(body="{", headers={"Content-Length": "1000", "Connection": "close"})
    with chat_server(first_then_good(cut)) as server:
        assert runs(server, ("bee",)) == {}
    assert len(server.seen) == 2


def test_no_connection_is_said_at_once(runs: Runs) -> None:
    with chat_server(good) as server:
        pass  # nobody listens there any more
    with pytest.raises(EndpointError, match=r"no connection to 'http://127.* refused; is the"):
        runs(server, ("bee",))
    assert not runs.out.exists()


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(status=401, body=f"bad key {KEY}"), "HTTP 401: the key is refused"),
        (Reply(status=403), "HTTP 403: the key is refused"),
        (
            Reply(status=404, body='{"error": {"message": "The model `m` does not exist"}}'),
            "model 'm' is unknown to 'http.*The model `m` does not exist",
        ),
        (Reply(status=404, body="nothing here"), "/v1/chat/completions' answers HTTP 404: nothing"),
        (Reply(status=400, body=f"odd {KEY} \x1b[31m"), r"answers HTTP 400: odd \*\*\* \[31m$"),
    ],
)
def test_what_asking_again_would_not_mend(runs: Runs, reply: Reply, message: str) -> None:
    with chat_server(lambda number, text: reply) as server:
        with pytest.raises(EndpointError, match=message) as caught:
            runs(server, ("bee",))
        assert len(server.seen) == 1
    assert KEY not in str(caught.value)


def test_without_a_key_the_error_says_how_to_give_one(runs: Runs) -> None:
    with (
        chat_server(lambda number, text: Reply(status=401)) as server,
        pytest.raises(EndpointError, match="it wants a key: --api-key-env NAME"),
    ):
        runs(server, ("bee",), endpoint=Endpoint(server.url, "m"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_is_not_carried_to_another_host(runs: Runs, status: int) -> None:
    with chat_server(good) as other:
        moved = Reply(status=status, headers={"Location": f"{other.url}/chat/completions"})
        with (
            chat_server(lambda number, text: moved) as server,
            pytest.raises(EndpointError, match=f"HTTP {status}"),
        ):
            runs(server, ("bee",))
    assert other.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000/v1",
        "file:///etc/passwd",
        "ftp://host/v1",
        "http://",
        "http://[::1",
        "http://host:port/v1",
        f"http://user:{KEY}@host/v1",
        f"http://host/v1?key={KEY}",
        "http://host/v 1",
    ],
)
def test_an_url_that_cannot_be_asked_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"endpoint is '.*'; allowed: http") as caught:
        Endpoint(url, "m")
    assert KEY not in str(caught.value)


def test_the_key_is_never_shown() -> None:
    assert KEY not in repr(Endpoint("http://host/v1", "m", KEY))
    for odd in (f"{KEY}\n", f"{KEY} x", f"{KEY}é"):
        with pytest.raises(ConfigError) as caught:
            Endpoint("http://host/v1", "m", odd)
        assert KEY not in str(caught.value)


def test_the_servers_wish_for_a_pause_is_known() -> None:
    busy = Reply(status=429, headers={"Retry-After": "7"})
    with chat_server(lambda number, text: busy) as server, pytest.raises(BusyError) as caught:
        complete(Endpoint(server.url, "m"), [{"role": "user", "content": "?"}], 1)
    assert caught.value.retry_after == 7


def test_pauses_double_with_jitter_up_to_the_longest() -> None:
    patience = Patience(first=1, longest=10)
    for attempt, grown in enumerate((1, 2, 4, 8, 10, 10)):
        drawn = [patience.seconds(attempt) for _ in range(50)]
        assert all(grown / 2 <= seconds <= grown for seconds in drawn)
        assert len(set(drawn)) > 1
    assert patience.seconds(0, wish=7) == 7
    assert patience.seconds(0, wish=3600) == 10


def test_a_kept_answer_is_not_asked_for_again(runs: Runs, tmp_path: Path) -> None:
    with chat_server(good) as server:
        runs(server, ("bee",))
        runs(server, ("bee", "cow"), out=tmp_path / "other.json")
        assert runs.reports == [("bee", "asked"), ("bee", "cached"), ("cow", "asked")]
        runs(server, ("bee",), out=tmp_path / "third.json", request=Request(2, seed=2))
        assert runs.reports[-1] == ("bee", "asked")
        for kept in (tmp_path / "cache" / "attributes").iterdir():
            kept.write_text("damaged")
        runs(server, ("bee",), out=tmp_path / "fourth.json")
    assert runs.reports[-1] == ("bee", "asked")
    assert runs.out.read_text() == (tmp_path / "fourth.json").read_text()


def test_resuming_keeps_what_is_there_even_if_it_was_written_by_hand(runs: Runs) -> None:
    runs.out.write_text('{"Zebu": ["hump"], "Fire_Ant": ["mine"]}')
    with chat_server(good) as server:
        with pytest.raises(ConfigError, match=r"out.json' exists; --resume"):
            runs(server, ("bee",))
        runs(server, ("fire ant", "bee"), resume=True)
    assert list(read_attributes(runs.out)) == ["Fire_Ant", "bee", "Zebu"]
    assert read_attributes(runs.out)["Fire_Ant"] == ("mine",)
    assert len(server.seen) == 1


def test_a_file_that_cannot_be_written_is_an_error(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with chat_server(good) as server, pytest.raises(DataError, match="cannot be written"):
        runs(server, ("bee",), out=tmp_path / "file" / "out.json")


def test_a_prompt_says_where_the_class_goes(runs: Runs) -> None:
    with chat_server(good) as server, pytest.raises(ConfigError, match=r"must hold \{class\}"):
        runs(server, ("bee",), request=Request(2, "Describe it."))
    assert server.seen == []
    asked = question("{count} traits of {class}", "bee", 3)
    assert asked.startswith("3 traits of bee\n\n")
    assert "exactly 3 strings" in asked


def test_ask_gives_up_with_the_last_problem() -> None:
    replies = (Reply(status=500), Reply("no"), Reply(status=500), Reply('["one"]'))
    with (
        chat_server(first_then_good(*replies)) as server,
        pytest.raises(AnswerError, match="holds 1 phrases"),
    ):
        ask(Endpoint(server.url, "m"), "?", TWO, AT_ONCE)


@pytest.mark.parametrize(
    "text", ["bee\n\n fire ant \n", '["bee", "fire ant"]', '{"bee": 1, "fire ant": 2}']
)
def test_class_names_from_a_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "names"
    path.write_text(text)
    assert chosen_classes(path, "", "") == ("bee", "fire ant")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n", "holds no class name"),
        ("fire ant\nbee\nFire_Ant", "names Fire_Ant twice"),
        ("[1]", "no strings"),
        ("[", "cannot be read"),
    ],
)
def test_class_names_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "names"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_class_names(path)


def test_class_names_of_data_sets(tmp_path: Path) -> None:
    pictures = write_folder(tmp_path / "vlcs", ("bee", "ant"), 5)
    assert dataset_classes("VLCS", "") == ("bird", "car", "chair", "dog", "person")
    assert dataset_classes("imagefolder", str(pictures)) == ("ant", "bee")
    with pytest.raises(ConfigError, match=r"allowed: .*emojidomains"):
        dataset_classes("nothing", "")
    with pytest.raises(ConfigError, match="either by --classes FILE or by --dataset NAME"):
        chosen_classes(None, "", "")


def fedmvp(*words: str) -> Any:
    return CliRunner().invoke(cli.app, ["attributes", *words])


def command(server: ChatServer, tmp_path: Path, *more: str) -> list[str]:
    where = ("--endpoint", server.url, "--model", "m", "--out", str(tmp_path / "out.json"))
    return ["generate", *where, "--cache-dir", str(tmp_path / "cache"), *more]


def test_the_command_ends_in_a_file_that_check_accepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", f"{KEY}\n")
    with chat_server(good) as server:
        words = ("--dataset", "vlcs", "--count", "2", "--api-key-env", "MY_KEY")
        result = fedmvp(*command(server, tmp_path, *words))
    assert result.exit_code == 0, result.output
    assert "person: asked" in result.output
    assert KEY not in result.output
    assert server.seen[0][1]["Authorization"] == f"Bearer {KEY}"
    checked = fedmvp("check", str(tmp_path / "out.json"), "--dataset", "vlcs")
    assert checked.exit_code == 0
    assert "all 5 classes are described, 2 phrases each" in checked.output


def test_the_command_fails_when_a_class_does(tmp_path: Path) -> None:
    def script(number: int, text: str) -> Reply:
        return Reply("no") if '"dog"' in text else good(number, text)

    with chat_server(script) as server:
        words = ("--dataset", "vlcs", "--count", "2", "--attempts", "1")
        result = fedmvp(*command(server, tmp_path, *words))
    assert result.exit_code == 1
    assert "no usable answer for 1 of 5 classes: dog; the others are in" in result.output
    assert len(read_attributes(tmp_path / "out.json")) == 4


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    with chat_server(good) as server:
        words = command(server, tmp_path, "--dataset", "vlcs", "--api-key-env", "NO_SUCH_KEY")
        result = fedmvp(*words)
    assert result.exit_code == 2
    assert "api-key-env is 'NO_SUCH_KEY'; there is no such" in result.output
    path = tmp_path / "a.json"
    path.write_text('{"Bird": ["beak"], "unicorn": ["horn", "mane"]}')
    result = fedmvp("check", str(path), "--dataset", "vlcs")
    assert result.exit_code == 1
    assert "no attributes for the classes: car, chair, dog, person" in result.output
    (tmp_path / "names").write_text("bird")
    result = fedmvp("check", str(path), "--classes", str(tmp_path / "names"))
    assert result.exit_code == 0
    assert "1 to 2 phrases each" in result.output
    assert "not used: unicorn" in result.output


def test_list_counts_the_shipped_sets_and_prints_one() -> None:
    result = fedmvp("list")
    assert result.exit_code == 0
    assert re.search(r"oxford_pets\W+37\W+296", result.output)
    printed = fedmvp("list", "OxfordPets")
    assert len(json.loads(printed.output)) == 37
    assert fedmvp("list", "nothing").exit_code == 1


def test_a_killed_run_is_gone_on_with(tmp_path: Path) -> None:
    """The process dies while it asks for the third class: two are there and not asked for again."""
    reached, release = threading.Event(), threading.Event()

    def hang(number: int, text: str) -> Reply:
        if number == 2:
            reached.set()
            release.wait(30)
        return good(number, text)

    with chat_server(hang) as server:
        words = command(server, tmp_path, "--dataset", "vlcs", "--count", "2")
        process = subprocess.Popen(
            [sys.executable, "-m", "simulations", "attributes", *words],
            env={**os.environ, "no_proxy": "127.0.0.1"},
            stderr=subprocess.DEVNULL,
        )
        try:
            assert reached.wait(60)
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        finally:
            process.kill()
            release.set()
        assert list(read_attributes(tmp_path / "out.json")) == ["bird", "car"]
    with chat_server(good) as server:
        words = command(server, tmp_path, "--dataset", "vlcs", "--count", "2", "--resume")
        assert fedmvp(*words).exit_code == 0
    assert len(server.seen) == 3
    assert list(read_attributes(tmp_path / "out.json")) == ["bird", "car", "chair", "dog", "person"]


def test_phrases_are_read_without_torch() -> None:
    code = (
        "import sys; from simulations.cli import app\n"
        "try: app(['attributes', 'list'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'ray', 'flwr', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
