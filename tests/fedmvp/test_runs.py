"""`fedmvp.simulate`, `evaluate` and `attack` say what the command line says."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from federation_harness import forget_worker
from typer.testing import CliRunner

import fedmvp
from fedmvp_core.errors import CheckpointError, ConfigError, FedMVPError
from simulations import cli
from simulations.runner.errors import RunFailedError


def test_the_import_is_quick_and_loads_nothing_slow() -> None:
    slow = ("torch", "flwr", "ray", "pandas", "open_clip", "numpy", "typer", "rich")
    code = (
        "import sys, fedmvp\n"
        "assert {'load', 'simulate', 'evaluate', 'attack', 'TunedCLIP'} <= set(dir(fedmvp))\n"
        f"print(fedmvp.__version__, [name for name in {slow!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [fedmvp.__version__, "[]"]
    assert (Path(fedmvp.__file__).parent / "py.typed").is_file()
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        fedmvp.simulat  # noqa: B018


def keys(root: Path, pictures: Path, **changed: Any) -> dict[str, Any]:
    """A run of seconds."""
    return {
        "run_name": "mine",
        "output_dir": root / "runs",
        "cache_dir": root / "cache",
        "method": "fedmvp",
        "method_options": {"prompt_length": 2},
        "dataset": "imagefolder",
        "data_dir": pictures,
        "attributes": "template",
        "pretrained": "",
        "device": "cpu",
        "clients": 2,
        "rounds": 1,
        "shots": 2,
        "batch_size": 8,
        "robust_attack": "none",
        **changed,
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("python")


@pytest.fixture(scope="module")
def result(root: Path, picture_folder: Path) -> fedmvp.Result:
    made = fedmvp.simulate(**keys(root, picture_folder), progress=False)
    forget_worker()
    return made


def test_a_result_has_the_runs_numbers(result: fedmvp.Result, root: Path) -> None:
    assert result.folder == root / "runs" / "mine"
    table = pd.read_csv(result.folder / "metrics.csv")
    assert (
        result.metrics[["split", "metric"]].values.tolist()
        == table[["split", "metric"]].values.tolist()
    )
    assert set(result.accuracy) == {"local", "base", "new", "harmonic-mean"}
    last = table[(table["split"] == "base") & (table["metric"] == "accuracy")]["value"].iloc[-1]
    assert result.accuracy["base"] == last
    clients = result.clients
    assert clients["client"].tolist() == [0, 1]
    assert sum(clients["images"]) == 6
    assert {name for names in clients["classes"] for name in names} == {"ant", "bee", "cow"}
    assert clients["train-loss"].notna().all()


def test_the_model_of_a_run_is_its_export(result: fedmvp.Result, root: Path) -> None:
    done = CliRunner().invoke(
        cli.app, ["export", str(result.folder), "--output", str(root / "model")]
    )
    assert done.exit_code == 0, done.output
    images = torch.rand(2, 3, 64, 64)
    own, loaded = result.model("cpu"), fedmvp.load(root / "model", device="cpu")
    assert torch.equal(own.logits(images), loaded.logits(images))
    assert loaded.exported.method_options.startswith("prompt-length=2")


def test_the_command_line_makes_the_same_run(
    result: fedmvp.Result, root: Path, picture_folder: Path
) -> None:
    given = keys(root, picture_folder, run_name="other")
    options = given.pop("method_options")
    words = [f"{name.replace('_', '-')}={value}" for name, value in given.items()]
    words += [f"method.prompt-length={options['prompt_length']}"]
    done = CliRunner().invoke(cli.app, ["run", *words, "--engine", "inline", "--no-report"])
    forget_worker()
    assert done.exit_code == 0, done.output
    left = [
        (folder / "checkpoints" / "round-0001.safetensors").read_bytes()
        for folder in (result.folder, root / "runs" / "other")
    ]
    assert left[0] == left[1]


def test_evaluate_measures_a_run_and_its_model(
    result: fedmvp.Result, root: Path, picture_folder: Path
) -> None:
    table = fedmvp.evaluate(result, device="cpu")
    found = table[table["metric"] == "accuracy"].set_index("split")
    assert found["tuned"].to_dict() == {
        split: pytest.approx(result.accuracy[split]) for split in ("base", "new")
    }
    model = result.model("cpu")
    given = {"attributes": "template", "attribute_weight": 0.75, "cache_dir": root / "cache"}
    again = fedmvp.evaluate(model, data_dir=picture_folder, **given)
    pd.testing.assert_frame_equal(again, table)
    digits = fedmvp.evaluate(model, dataset="digits", cache_dir=root / "cache")
    assert len(digits[digits["metric"] == "accuracy"]) == 2


def test_attack_returns_the_table_that_it_leaves(result: fedmvp.Result) -> None:
    table = fedmvp.attack(
        result, "fgsm", epsilon=["1/255", "4/255"], images=2, device="cpu", progress=False
    )
    assert table["epsilon"].tolist() == ["1/255", "1/255", "4/255", "4/255"]
    assert set(table["split"]) == {"base", "new"}
    left = {path.name for path in (result.folder / "attacks").glob("*.csv")}
    stem = "fgsm-eps1-255+4-255-2-images"
    assert left == {f"{stem}{end}.csv" for end in ("", "-curve", "-classes")}
    with pytest.raises(ConfigError, match="attack is 'pdg'; did you mean pgd"):
        fedmvp.attack(result.folder, attack="pdg")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"roundz": 3}, "unknown run-config key 'roundz'"),
        ({"rounds": "three"}, "rounds is 'three'; allowed: a whole number"),
        ({"method": "fedmvq"}, "method is 'fedmvq'"),
        ({"method_options": {"depht": 3}}, "has no option 'depht'"),
        ({"overwrite": object()}, "overwrite is <object"),
        ({"engine": "dask"}, "engine is 'dask'; allowed: inline, ray"),
        ({"run": "demoo"}, "unknown run 'demoo'"),
    ],
)
def test_a_wrong_word_raises_as_the_command_line_says(
    root: Path, picture_folder: Path, changed: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(FedMVPError, match=sentence):
        fedmvp.simulate(**keys(root, picture_folder, **changed))


def test_a_run_is_not_lost_unasked(result, root: Path, picture_folder: Path) -> None:
    before = (result.folder / "metrics.csv").read_bytes()
    with pytest.raises(ConfigError, match="holds a completed run of 1 round; choose another"):
        fedmvp.simulate(**keys(root, picture_folder))
    assert (result.folder / "metrics.csv").read_bytes() == before


def test_what_is_no_run_is_refused(root: Path) -> None:
    with pytest.raises(ConfigError, match="no run 'nosuch'"):
        fedmvp.evaluate("nosuch")
    (root / "words").write_text("words")
    with pytest.raises(CheckpointError, match="cannot be read as a tuned model"):
        fedmvp.evaluate(root / "words")


def test_a_failed_run_raises(root: Path, picture_folder: Path, monkeypatch) -> None:
    monkeypatch.setattr("simulations.runner.inline.play", _breaks)
    with pytest.raises(RunFailedError, match="it broke"):
        fedmvp.simulate(**keys(root, picture_folder, run_name="broken"), progress=False)


def test_a_run_within_a_thread_and_progress(root: Path, picture_folder: Path, capsys) -> None:
    given = keys(root, picture_folder, run_name="threaded", method="promptfl", method_options="")
    made: list[fedmvp.Result] = []
    thread = threading.Thread(target=lambda: made.append(fedmvp.simulate(**given)))
    thread.start()
    thread.join()
    forget_worker()
    assert made[0].accuracy
    assert "round 1/1" in capsys.readouterr().out


def _breaks(*_: object) -> None:
    raise FedMVPError("it broke")
