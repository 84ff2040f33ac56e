"""Named runs: shipped ones are valid, and what is wrong with a file is said."""

from pathlib import Path

import pytest

from fedmvp_core.data.settings import load_setting
from fedmvp_core.data.shards import local_evaluations, make_shards
from fedmvp_core.errors import ConfigError
from simulations.runner.named_runs import (
    DEFAULT_SUPERNODES,
    NamedRun,
    load_named_run,
    resolve_config,
    resolve_supernodes,
    run_names,
)
from simulations.suite.files import load_suite, suite_names, with_root

BARE = NamedRun("bare", "", 0, {"run-name": "bare"})


@pytest.mark.parametrize("name", run_names())
def test_shipped_run_is_valid_and_described(name):
    run = load_named_run(name)
    config = resolve_config(run, {})
    assert run.description
    assert config.run.run_name == name
    assert resolve_supernodes(run, {}, config.data, None) == run.supernodes


def test_shipped_runs_are_the_promised_ones():
    assert {"demo", "demo-short", "msst", "zs-clip"} <= set(run_names())


def test_the_short_demo_is_small():
    """A few seconds of work: few classes, few pictures that are attacked, few steps."""
    run = load_named_run("demo-short")
    config = resolve_config(run, {"pretrained": ""})
    setting = load_setting(config, 8)
    shards = make_shards(setting, run.supernodes, config)
    assert len(setting.train.class_names) <= 10
    assert sum(len(shard.images) for shard in shards) <= 20
    assert min(len(shard.task.class_names) for shard in shards) >= 2, "attacks need another class"
    attacked = sum(len(split.images) for split in setting.evaluations)
    attacked += sum(len(split.images) for split in local_evaluations(setting, shards))
    # At the end the tuned and the frozen model, and at the start a few pictures of each split.
    assert 2 * attacked * config.evaluation.robust_steps <= 1200
    assert (config.federation.rounds, config.attack.attack_steps) == (2, 1)
    assert config.evaluation.robust_attack == "pgd", "the report shows what is robust"


def test_run_file_by_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("supernodes = 3\n[config]\nrounds = 1\n")
    run = load_named_run(str(path))
    assert (run.name, run.supernodes) == ("mine", 3)
    assert resolve_config(run, {"rounds": 7}).federation.rounds == 7


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rounds = 1", "unknown key 'rounds'"),
        ("supernodes = 'six'", "supernodes is 'six'; allowed: a int"),
        ("= 1", "is no TOML"),
    ],
)
def test_bad_run_file_is_refused(tmp_path, text, sentence):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        load_named_run(str(path))


def test_missing_run_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.toml cannot be read: No such file"):
        load_named_run(str(tmp_path / "absent.toml"))


def test_unknown_run_offers_the_nearest():
    with pytest.raises(ConfigError, match="unknown run 'dmo'; did you mean demo"):
        load_named_run("dmo")


def test_paths_become_absolute_relative_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.bin").touch()
    given = {"output-dir": "out", "cache-dir": "", "data-dir": "~/pictures"}
    config = resolve_config(BARE, {**given, "backbone": "ViT-B-32", "pretrained": "weights.bin"})
    assert config.run.output_dir == str(tmp_path / "out")
    assert config.run.cache_dir == ""
    assert config.data.data_dir == str(Path.home() / "pictures")
    assert config.model.pretrained == str(tmp_path / "weights.bin")


@pytest.mark.parametrize("pretrained", ["embedded", "openai", "laion2b_s34b_b79k", ""])
def test_a_tag_is_no_path(pretrained):
    backbone = "tiny" if pretrained == "embedded" else "ViT-B-32"
    overrides = {"backbone": backbone, "pretrained": pretrained}
    assert resolve_config(BARE, overrides).model.pretrained == pretrained


@pytest.mark.parametrize(
    ("run_nodes", "overrides", "asked", "expected"),
    [
        (6, {}, None, 6),
        (6, {}, 4, 4),
        (6, {"clients": 3}, None, 3),
        (0, {}, None, DEFAULT_SUPERNODES),
        (0, {"clients": 3}, 3, 3),
    ],
)
def test_the_more_explicit_number_of_supernodes_wins(run_nodes, overrides, asked, expected):
    run = NamedRun("bare", "", run_nodes, {})
    config = resolve_config(run, overrides)
    assert resolve_supernodes(run, overrides, config.data, asked) == expected


def test_clients_and_supernodes_must_agree():
    config = resolve_config(BARE, {"clients": 3})
    with pytest.raises(ConfigError, match="clients is 3 but supernodes is 4"):
        resolve_supernodes(BARE, {"clients": 3}, config.data, 4)


def test_no_supernodes_are_too_few():
    with pytest.raises(ConfigError, match="supernodes is 0; allowed: 1 or more"):
        resolve_supernodes(BARE, {}, resolve_config(BARE, {}).data, 0)


@pytest.mark.parametrize(
    ("given", "resolved"),
    [
        ("openai+towers/robust.pth.tar", "openai+{here}/towers/robust.pth.tar"),
        ("base.pt+towers/robust.pt", "{here}/base.pt+{here}/towers/robust.pt"),
        ("with+plus.pt", "{here}/with+plus.pt"),
    ],
)
def test_paths_of_a_base_and_an_image_tower_become_absolute(tmp_path, monkeypatch, given, resolved):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "with+plus.pt").touch()  # a file of that very name is one path
    config = resolve_config(BARE, {"backbone": "ViT-B-32", "pretrained": given})
    assert config.model.pretrained == resolved.format(here=tmp_path)


def test_a_folder_of_open_clip_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "open_clip_config.json").touch()
    config = resolve_config(BARE, {"backbone": "mine", "pretrained": ""})
    assert config.model.backbone == str(tmp_path / "mine")


def test_an_option_in_a_file_is_a_quoted_key(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        '[config]\nmethod = "fedmvp"\n"method.lora-rank" = 4\n"objective.alpha" = 1.5\n'
    )
    run = load_named_run(str(path))
    config = resolve_config(run, {})
    assert config.model.method_options == "lora-rank=4"
    assert config.model.objective_options == "alpha=1.5"
    assert resolve_config(run, {"method.lora-rank": "2"}).model.method_options == "lora-rank=2"
    assert resolve_config(run, {"method-options": ""}).model.method_options == ""


def test_an_option_without_quotes_is_told_how_to_write_it(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[config]\nmethod.lora-rank = 4\n")
    with pytest.raises(ConfigError, match=r'write an option with quotes, .* "method.lora-rank" ='):
        load_named_run(str(path))


@pytest.mark.parametrize("key", ["label-split", "setting.label-split"])
def test_a_label_split_becomes_absolute(tmp_path, monkeypatch, key):
    monkeypatch.chdir(tmp_path)
    words = {"setting": "zsl", "dataset": "emojiscenes", key: "labels.json"}
    written = f"label-split={tmp_path}/labels.json"
    assert resolve_config(BARE, words).data.setting_options == written
    given = {
        "setting": "zsl",
        "dataset": "emojiscenes",
        "setting-options": "label-split=labels.json",
    }
    assert resolve_config(BARE, given).data.setting_options == written


@pytest.mark.parametrize("suite", suite_names())
def test_shipped_suites_are_written_with_the_keys_of_now(suite, caplog, tmp_path):
    for run in load_suite(suite).runs:
        resolve_config(with_root(run.run, tmp_path), {})
    assert caplog.messages == []
