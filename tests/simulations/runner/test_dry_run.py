"""`fedmvp run --dry-run`: what it tells, what it finds, and that it leaves nothing."""

import shutil
import socket
from pathlib import Path

import open_clip
import pytest
from safetensors.torch import save_file
from small_pictures import write_folder
from typer.testing import CliRunner

from fedmvp_core.backbone import load_backbone
from fedmvp_core.methods.differences import DIFFERENCES
from fedmvp_core.run_folder import run_folder
from simulations import cli
from simulations.runner import dry_run


@pytest.fixture
def dry(tmp_path, monkeypatch):
    """`fedmvp run --dry-run` with words; all that it may write lies in tmp_path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def invoke(*words: str):
        quick = ["dataset=emojidomains", "pretrained="]  # fewer classes, random weights
        return CliRunner().invoke(cli.app, ["run", *quick, *words, "--dry-run"])

    return invoke


def everything(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def test_it_says_what_the_run_would_be_and_writes_nothing(dry, tmp_path):
    result = dry("rounds=7", "fraction-train=0.5", "method=fedmvp", "robust-attack=none")
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    for said in (
        "6 clients hold 360 of 360 training images and 18 of 18 training classes",
        "fedmvp, fedavg",
        "tiny, random, 64 pixels, cpu",
        "7, 3 of 6 clients in each",
        "287,232 numbers, 1.1 MB",
        "3.4 MB down at most",  # three times 4 bytes each
        "73.7 KB up (lora phase)",
        "no attack",
        "split base",
        "split new",
        "6 clients' own classes",
        "(new)",
    ):
        assert said in words, said
    assert everything(tmp_path) == []


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("precision=bf16", "precision 'bf16' needs a CUDA device, not 'cpu'"),
        ("compile=true", "compile is 'true', but no compiler is found for torch.compile on 'cpu'"),
    ],
)
def test_what_the_device_cannot_do_is_said_before_anything_begins(
    dry, tmp_path, monkeypatch, word, said
):
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr("simulations.runner.resources.visible_gpus", lambda: 0)
    for invoke in (dry, lambda *words: CliRunner().invoke(cli.app, ["run", *words])):
        result = invoke("device=auto", "pretrained=", word)
        assert result.exit_code != 0
        assert said in " ".join(result.output.split())
    assert everything(tmp_path) == []


def test_a_method_that_trains_nothing_has_no_rounds(dry):
    words = " ".join(dry("method=zs-clip").output.split())
    assert "0, 6 of 6 clients in each" in words
    assert "0 numbers, 0 bytes" in words


def test_a_run_that_would_be_replaced_is_told_of_and_stays(dry, tmp_path):
    folder = tmp_path / "runs" / "demo"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "status.json").write_text('{"status": "completed"}')
    before = everything(tmp_path)
    result = dry("--overwrite")
    assert result.exit_code == 0
    assert "holds a completed run of 0 rounds, which would be replaced" in " ".join(
        result.output.split()
    )
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["rounds=-1"], "rounds is -1; allowed: 0 or more"),
        (["pretrained=laion9"], "laion9"),
        (["output-dir=/dev/null/x"], "/dev/null is no folder"),
        (["--supernodes", "24"], "24 clients, but partition 'disjoint-classes' has 18 classes"),
        (["dataset=imagefolder", "data-dir=."], "."),
        (["prompt-length=1000"], "prompt-length is 1000"),
        (["metrics-host=192.0.2.1", "metrics-port=52501"], "192.0.2.1:52501 cannot be listened"),
    ],
)
def test_what_the_run_would_fail_on_is_one_line_and_exit_2(dry, words, sentence):
    result = dry(*words)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1
    assert sentence in result.stderr


def test_a_protected_run_is_bad_input(dry, tmp_path):
    folder = tmp_path / "runs" / "demo"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    result = dry("overwrite=false")
    assert result.exit_code == 2
    assert "holds an unfinished run of 0 rounds; choose another run-name" in result.stderr


def test_a_picture_that_cannot_be_read_is_found(dry, tmp_path, picture_folder):
    copy = tmp_path / "pictures"
    shutil.copytree(picture_folder, copy)
    for file in copy.rglob("*.*"):
        file.write_bytes(b"no picture")
    result = dry("dataset=imagefolder", f"data-dir={copy}", "--supernodes", "1")
    assert result.exit_code == 2
    assert str(copy) in result.stderr


def test_a_port_in_use_is_bad_input_before_a_run_begins(dry, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = CliRunner().invoke(cli.app, ["run", "demo", f"metrics-port={port}"])
    assert result.exit_code == 2
    assert f"127.0.0.1:{port} cannot be listened on" in result.stderr
    assert everything(tmp_path) == []


def test_a_folder_without_rights_is_named(tmp_path, monkeypatch):
    """The rights are asked for, not tried: the super-user may write anywhere."""
    from run_configs import run_config

    config = run_config(output_dir=str(tmp_path / "deep" / "runs"), run_name="x")
    monkeypatch.setattr(dry_run.os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(dry_run.ConfigError, match=f"{tmp_path} cannot be written"):
        dry_run.check_folder(config.run)
    assert not run_folder(config.run).exists()


LONG = " ".join(["cat"] * 30)


def test_sentences_that_are_cut_are_told(dry):
    result = dry(f"template=a picture of a {{class}} {LONG}")
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert "warning the text encoder of 'tiny' reads 30 tokens and cuts the end of" in words
    assert f"'a picture of a bird {LONG}' of class 'bird'" in words
    assert "warning" not in dry().output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["template=" + LONG + " {class}."], "which cuts the name of class"),
        (["attribute-template=" + LONG + " {class}, {attribute}"], "which cuts the name of class"),
        (["method=apt", "method.context-length=30"], "context-length puts 30 words before"),
    ],
)
def test_names_that_are_cut_stop_a_run_before_it_begins(dry, tmp_path, words, sentence):
    result = dry(*words)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert everything(tmp_path) == []


def test_a_new_class_that_learned_words_push_out_is_found(dry, tmp_path):
    new = "z " + " ".join(["cat"] * 17)  # sorted last, so it is tested and not trained
    write_folder(tmp_path / "pictures", ("ant", "bee", "cow", new), 8)
    data = ["dataset=imagefolder", "data-dir=pictures", "--supernodes", "1"]
    assert dry(*data).exit_code == 0
    result = dry(*data, "method=apt", "method.context-length=16", "template={class}")
    assert result.exit_code == 2
    assert f"context-length puts 16 words before '{new}.'" in result.stderr


def test_a_guessed_activation_and_stripped_names_are_told(dry, tmp_path, monkeypatch):
    state = load_backbone("tiny").clip.state_dict()
    path = tmp_path / "mine.SAFETENSORS"
    save_file({f"_orig_mod.{name}": value for name, value in state.items()}, path)
    tags = {"openai": {"quick_gelu": True}}
    monkeypatch.setattr(open_clip, "list_pretrained_tags_by_model", lambda name: list(tags))
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda name, tag: tags.get(tag, {}))
    words = " ".join(dry("pretrained=mine.SAFETENSORS").output.split())
    assert (
        "activation GELU, by the backbone's name 'tiny', since mine.SAFETENSORS does not" in words
    )
    assert "take backbone=tiny-quickgelu" in words
    assert "'_orig_mod.' was taken off the names of the tensors of" in words
    words = " ".join(dry().output.split())
    assert "activation GELU, by the backbone's name 'tiny' data" in words


def test_the_published_protocol_is_printed_with_what_differs(dry, monkeypatch, caplog):
    """Every value that it sets, and every row of docs/methods.md's table."""
    monkeypatch.setenv("COLUMNS", "600")
    result = dry("protocol=published", "method=fedmvp", "batch-size=16", "partition.cut=auto")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    for row in (
        "rounds 100 10 as published",
        "learning-rate 0.003 0.3 as published",
        "batch-size 128 36 16 (departs)",
        "partition.cut published auto auto (departs)",
        "keep-momentum true false as published",
        "objective.alpha 10 3 as published",
        "method.prompt-init random frozen as published",
    ):
        assert row in lines, row
    for difference in DIFFERENCES:
        assert " ".join(difference.row) in lines, difference
    assert "batch-size is 16, published: 128" in caplog.text


def test_our_own_protocol_prints_neither_table(dry):
    assert "released code" not in dry("method=fedmvp").stdout


def test_a_published_cut_that_leaves_a_client_empty_is_refused(dry):
    result = dry("protocol=published", "method=fedmvp")
    assert result.exit_code == 2, result.output
    words = " ".join(result.stderr.split())
    assert "6 clients, but the published cut gives 20 classes to each, and there are 18" in words
    assert "allowed: 1 to 1 (1 as published)" in words
