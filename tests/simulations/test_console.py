"""What a user named is printed as it is, on any terminal, by every command."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.table import Table
from small_pictures import write_folder
from typer.testing import CliRunner

from simulations import cli
from simulations.console import Console, one_line, shown

PACKAGE = Path(cli.__file__).parent
CLASSES = ("[red]ant", ":dog: [bold]", "$x^1$ & $y", "<b>bee", "жук", "[link=x]eel")
RUN = "[bold]mine[x] :cat:"
SMALL = ["dataset=imagefolder", "partition=iid", "setting=few-shot", "pretrained=", "method=apt"]
SMALL += ["method.context-length=2", "shots=2", "rounds=1", "local-epochs=1", "attack-steps=1"]
SMALL += ["robust-attack=fgsm", "robust-every=0", "device=cpu"]


@pytest.mark.parametrize(
    "name",
    ["[red]ant[/red]", "[/y]", "[bold", ":dog:", "\\[x]", "[link=http://x]a", "жук", "[@click=x]"],
)
def test_a_name_stands_for_itself(name):
    stream = StringIO()
    console = Console(file=stream, width=100)
    table = Table(name, title=name, caption=name)
    table.add_row(name)
    console.print(table)
    console.print(name, soft_wrap=True)
    console.rule(name)
    with console.status(name):
        pass
    assert stream.getvalue().count(name) == 6, stream.getvalue()


def test_control_characters_and_bytes_are_escaped():
    assert shown("a\x1b[31mb\r\x00\x9b\n\t") == "a\\x1b[31mb\\r\\x00\\x9b\n\t"
    assert shown("жук \udcff", "ascii") == "\\u0436\\u0443\\u043a \\xff"
    assert shown("ж\udcff") == "ж\\xff"
    assert one_line("two\nlines\tof") == "two\\nlines\\tof"
    stream = StringIO()
    Console(file=stream).print("\x1b]0;title\x07")
    assert "\x1b" not in stream.getvalue()


def test_the_code_has_one_console():
    """Rich's own would obey what stands in names."""
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name != "console.py" and re.search(r"\bConsole\(", text):
            assert not re.search(r"from rich.console import .*\bConsole\b", text), path
        for column in re.findall(r"TextColumn\(\"\{.*", text):
            assert "markup=False" in column, (path, column)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working directory with pictures, attributes, and a run of unusual names."""
    root = tmp_path_factory.mktemp("place")
    pictures = write_folder(root / "pic[tures]", CLASSES, 4)
    (root / "x[").mkdir()
    shutil.copy(next(pictures.rglob("*.png")), root / "x[" / "y].png")
    shutil.copy(next(pictures.rglob("*.png")), root / "two\nlines.png")
    phrases = {name: [f"a {name} of [kind]"] for name in CLASSES}
    (root / "words[1].json").write_text(json.dumps(phrases), encoding="utf-8")
    (root / "names.txt").write_text("\n".join(sorted(CLASSES)), encoding="utf-8")
    before = Path.cwd()
    os.chdir(root)
    try:
        done = fedmvp(
            *("run", *SMALL, "data-dir=pic[tures]", f"run-name={RUN}", "cache-dir=cache"),
            *("--engine", "inline", "--supernodes", "2"),
        )
        assert done.exit_code == 0, done.output
        assert RUN in done.output
        yield root
    finally:
        os.chdir(before)


def fedmvp(*words: str):
    os.environ["COLUMNS"] = "300"
    try:
        return CliRunner().invoke(cli.app, list(words))
    finally:
        del os.environ["COLUMNS"]


COMMANDS = [
    (
        ["predict", RUN, "--top", "6", "x[/y].png", "two\nlines.png"],
        ["x[/y].png", "two\\nlines.png", *CLASSES],
    ),
    (["predict", RUN, "x[/z].png"], ["picture 'x[/z].png' is no file"]),
    (["predict", RUN, "no\nsuch.png"], ["picture 'no\\nsuch.png' is no file"]),
    (["predict", "[/no]", "x[/y].png"], ["no run '[/no]'"]),
    (["report", RUN], [f"/runs/{RUN}/report.html"]),
    (["attack", RUN, "--attack", "fgsm", "--images", "2"], [RUN, f"/runs/{RUN}/attacks/fgsm"]),
    (["list"], [RUN]),
    (["list", "methods"], ["fedmvp"]),
    (["shards", *SMALL, "data-dir=pic[tures]", "--supernodes", "2"], CLASSES),
    (["datasets", "check", "imagefolder", "--root", "pic[tures]"], [*CLASSES, "pic[tures]"]),
    (["datasets", "list"], ["caltech101"]),
    (["attributes", "list"], ["officehome"]),
    (
        ["attributes", "check", "words[1].json", "--classes", "names.txt"],
        ["words[1].json: all 6 classes are described"],
    ),
    (
        ["run", *SMALL, "data-dir=pic[tures]", "run-name=[new]", "--supernodes", "2", "--dry-run"],
        ["[new]", *CLASSES],
    ),
    (["run", "[red]"], ["unknown run '[red]'"]),
    (["run", "run-name=a\nb"], ["run-name is 'a\\nb'; allowed: characters that can be shown"]),
    (["suite", "[/x].toml"], ["[/x].toml"]),
    (["stress", "[/x]=1"], ["[/x]"]),
    (["check", "method", "[/x]"], ["[/x]"]),
    (["deploy", "keys", "[x]", "--folder", "keys["], ["keys["]),
]


@pytest.mark.parametrize(("words", "named"), COMMANDS)
def test_every_command_prints_names_as_they_are(place, words, named):
    done = fedmvp(*words)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    for name in named:
        assert name in done.output + done.stderr, done.output


def test_the_report_and_its_charts_print_names_as_they_are(place):
    page = (place / "runs" / RUN / "report.html").read_text(encoding="utf-8")
    assert "<b>bee" not in page
    text = html.unescape(page)
    for name in CLASSES:
        assert name in text, name
    drawn = " ".join(re.findall(r"<text[^>]*>(.*?)</text>", page))
    for name in ("[red]ant", "&lt;b&gt;bee", "$x^1$ &amp; $y"):
        assert name in drawn, name


DRIVER = """
import json, os, sys, traceback
from simulations.cli import main
for words in json.loads(sys.argv[1]):
    sys.argv = ["fedmvp", *(os.fsdecode(word.encode()) for word in words)]
    try:
        main()
    except SystemExit as end:
        print("CODE", end.code, flush=True)
    except BaseException:
        traceback.print_exc()
"""


@pytest.mark.parametrize(
    "terminal",
    [
        {"PYTHONIOENCODING": "ascii"},
        pytest.param(
            {"PYTHONIOENCODING": "ascii:strict", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
            marks=pytest.mark.slow,
        ),
        pytest.param({"LC_ALL": "C", "LANG": "C"}, marks=pytest.mark.slow),  # Python's UTF-8 mode
        pytest.param({"PYTHONIOENCODING": "latin-1"}, marks=pytest.mark.slow),
    ],
    ids=["ascii", "C locale and ascii", "C locale", "latin-1"],
)
def test_a_plain_terminal_gets_escaped_names(place, terminal):
    """All commands in one process, whose standard output is a pipe that knows no Cyrillic."""
    commands = [words for words, _ in COMMANDS if not any("\n" in word for word in words)]
    commands += [
        *(
            ["run", *SMALL, "data-dir=pic[tures]", "run-name=жуки", "cache-dir=cache", *more]
            for more in (["--engine", "inline", "--supernodes", "2", "--overwrite"], ["rounds=-1"])
        ),
        ["predict", "жуки", "x[/y].png"],
        ["predict", "ёж", "x[/y].png"],
        ["--help"],
        ["run", "--жук"],
        ["жук"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(commands)],
        env={**os.environ, **terminal, "COLUMNS": "200"},
        cwd=place,
        capture_output=True,
        check=False,
        timeout=500,
    )
    encoding = terminal.get("PYTHONIOENCODING", "utf-8").partition(":")[0]
    said, errors = done.stdout.decode(encoding), done.stderr.decode(encoding)
    assert "Traceback" not in errors, errors
    assert done.returncode == 0
    assert said.count("CODE") == len(commands)
    assert shown("жук ", encoding) in said  # the class
    assert shown("жуки", encoding) in said  # the run
    assert shown("no run 'ёж'", encoding) in errors
