"""What has a short answer is answered without torch, Flower, Ray or pandas."""

import subprocess
import sys
from pathlib import Path

import pytest

from simulations.plugins.listing import kind_table, plugin_tables

SLOW = ("torch", "flwr", "ray", "pandas", "open_clip", "torchvision", "sklearn", "matplotlib")
ANSWER = """
import sys
from simulations.cli import app
try:
    app({words!r})
except SystemExit as end:
    print(end.code)
print([name for name in {slow!r} if name in sys.modules])
"""


def answered(words: list[str], folder: Path) -> tuple[str, list[str]]:
    """What a command prints on both streams, and [exit code, slow modules that it loaded]."""
    code = ANSWER.format(words=words, slow=SLOW)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    lines = done.stdout.splitlines()
    return done.stdout + done.stderr, lines[-2:]


@pytest.fixture
def with_run(tmp_path: Path) -> Path:
    """A working directory with runs/mine."""
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"method": "fedmvp"}')
    (folder / "metrics.csv").write_text("round,split,metric,value\n1,base,accuracy,0.5\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--help"], "Usage"),
        (["run", "--help"], "Usage"),
        (["reproduce", "--help"], "Example: fedmvp reproduce fedmvp-base-to-new --root data"),
        (["list"], "mine"),
        (["list", "--output-dir", "runs"], "50.0 %"),
        (["datasets", "list"], "caltech101"),
        (["attributes", "list"], "eurosat"),
    ],
)
def test_what_is_named_is_listed_at_once(with_run: Path, words: list[str], said: str) -> None:
    output, end = answered(words, with_run)
    assert said in output
    assert end == ["0", "[]"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["list", "metods"], "kind is 'metods'; did you mean methods, metrics?; see: fedmvp list"),
        (["list", "methods", "fedmvq"], "method is 'fedmvq'; installed: adv-maple"),
        (["run", "demoo"], "did you mean demo, demo-short?; see: fedmvp list"),
        (["run", "partition=iidd"], "did you mean iid?; see: fedmvp list partitions"),
        (["run", "dataset=caltech102"], "; see: fedmvp datasets list"),
        (
            ["run", "dataset=dtd"],
            "; to get it: fedmvp datasets prepare dtd --root data",
        ),
        (["run", "dataset=imagefolder"], "fedmvp datasets check FOLDER"),
        (["watch", "mnie"], "no run 'mnie'; did you mean mine?; see: fedmvp list"),
        (["report", "mine", "--data-dirr"], "No such option"),
        (["run", "roundz=3"], "unknown run-config key 'roundz'"),
        (["run", "method=fedmvq"], "method is 'fedmvq'"),
        (["run", "rounds=-1"], "rounds is -1"),
        (["report", "mnie"], "no run 'mnie'; did you mean mine"),
        (["compare", "mine", "mnie"], "no run 'mnie'; did you mean mine"),
        (["predict", "mnie", "x.png"], "no run 'mnie'"),
        (["predict", "mine", "x.png"], "picture 'x.png' is no file"),
        (["attack", "mnie"], "no run 'mnie'"),
        (["export", "mnie"], "no run 'mnie'"),
        (["attack", "mine", "--attack", "pdg"], "attack is 'pdg'; did you mean pgd"),
        (["alarm", "mine", "--epsilon", "4"], "epsilon is '4'; allowed: a number from 0 to 1"),
        (["suite", "basline"], "did you mean baselines, baselines-eps1?; see: fedmvp list"),
        (["suite", "baselines", "--seeds", "one"], "seeds has 'one'"),
        (["reproduce", "fedmvp-mst"], "suite 'fedmvp-mst' cannot be read"),
        (["reproduce", "emoji-msst"], "has no published numbers to stand beside ours; those that"),
        (["stress", "roundz"], "'roundz' is no KEY=VALUE"),
        (["stress", "--attack", "sign-flop"], "attack is 'sign-flop'; allowed: sign-flip"),
        (["stress", "--defence", "krumm"], "defence is 'krumm'; allowed"),
        (["shards", "demoo"], "unknown run 'demoo'"),
        (["shards", "partition=iidd"], "partition is 'iidd'"),
        (["check", "metod", "fedmvp"], "kind is 'metod'; did you mean method"),
        (["check", "method", "fedmvq"], "method is 'fedmvq'; installed"),
        (["new", "metod", "mine"], "kind is 'metod'"),
        (["datasets", "check", "caltech", "--root", "."], "is called 'caltech'; did you mean"),
        (["attributes", "check", "nosuch.json", "--dataset", "dtd"], "'nosuch.json' cannot be"),
        (["deploy", "doctor", "supernod"], "role is 'supernod'"),
        (["deploy", "submit", "--superlink", "h:1", "demoo"], "unknown run 'demoo'"),
    ],
)
def test_what_is_mistyped_is_refused_at_once(
    with_run: Path, words: list[str], sentence: str
) -> None:
    output, (code, loaded) = answered(words, with_run)
    assert sentence in output.replace("\n", " ")
    assert code in ("1", "2")
    assert loaded == "[]"


def test_plugins_described_before_are_described_at_once(with_run: Path) -> None:
    kind_table("objectives")
    list(plugin_tables("methods", "apt"))
    for words, said in ((["list", "objectives"], "TRADES"), (["list", "methods", "apt"], "8,192")):
        output, end = answered(words, with_run)
        assert said in output
        assert end == ["0", "[]"]


def test_the_apps_begin_without_what_only_a_backbone_needs() -> None:
    """Server and clients answer Flower before they load a backbone, and open_clip with it."""
    later = ("open_clip", "torchvision", "timm", "torch._dynamo", "pandas", "sklearn", "matplotlib")
    code = (
        "import sys, client_app.app, server_app.app\n"
        f"print([name for name in {later!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
