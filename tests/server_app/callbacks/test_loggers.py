"""What experiment loggers hold of a run, read back by the loggers' own readers."""

import io
import json
import logging
import math
import os
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from federation_harness import metric_rows, run_federation, run_folder
from flwr.app import MessageType
from PIL import Image
from plugins import install
from typer.testing import CliRunner

from fedmvp_core.config import LOGGERS, RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.json_logs import logger
from fedmvp_core.registry import CALLBACKS
from fedmvp_core.run_folder import read_object, read_status, remove_run
from server_app.callbacks.callback import callback_names
from server_app.callbacks.loggers.logger import ExperimentLogger
from server_app.callbacks.loggers.mlflow import MlflowLogger, allowed_name
from server_app.callbacks.loggers.pictures import log_pictures
from server_app.callbacks.loggers.wandb import has_api_key
from server_app.evaluation.examiner import Examiner
from server_app.start_checks import check_start
from simulations import cli

Make = Callable[..., RunConfig]
Numbers = list[tuple[str, int, float]]  # name, round, value; sorted
OF_ACCOUNTS = ("WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT", "MLFLOW_TRACKING_URI")


@pytest.fixture(scope="module", autouse=True)
def _trackio_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Trackio reads it once, when it is imported."""
    os.environ.setdefault("TRACKIO_DIR", str(tmp_path_factory.mktemp("trackio")))


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in OF_ACCOUNTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    """What is logged as a warning."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    yield said
    logger.removeHandler(handler)


def state(config: RunConfig, tracker: str) -> dict[str, Any]:
    return read_object(run_folder(config) / "loggers" / f"{tracker}.json")


# --- the loggers' readers


def of_tensorboard(config: RunConfig) -> Numbers:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    limits = {"scalars": 0, "tensors": 0}
    read = EventAccumulator(str(run_folder(config) / "loggers" / "tensorboard"), limits)
    read.Reload()
    (text,) = read.Tensors("config/text_summary")
    assert b'"learning-rate": 0.1' in text.tensor_proto.string_val[0]
    return [(t, s.step, s.value) for t in read.Tags()["scalars"] for s in read.Scalars(t)]


def of_mlflow(config: RunConfig) -> Numbers:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{run_folder(config) / 'loggers' / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("fedmvp")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_id == state(config, "mlflow")["id"]
    assert (run.info.run_name, run.info.status) == ("small", "FINISHED")
    assert run.data.params["learning-rate"] == "0.1"
    histories = (client.get_metric_history(run.info.run_id, key) for key in run.data.metrics)
    return [(m.key, m.step, m.value) for history in histories for m in history]


def of_trackio(config: RunConfig) -> Numbers:
    from trackio.sqlite_storage import SQLiteStorage

    name = state(config, "trackio")["id"]
    assert SQLiteStorage.get_run_config("fedmvp", name)["learning-rate"] == 0.1
    own = ("step", "timestamp")
    return [
        (key, entry["step"], value)
        for entry in SQLiteStorage.get_logs("fedmvp", name)
        for key, value in entry.items()
        if key not in own
    ]


def of_wandb(config: RunConfig) -> Numbers:
    found: Numbers = []
    last = -1
    files = sorted((run_folder(config) / "loggers" / "wandb").glob("wandb/offline-run-*/*.wandb"))
    for file in files:
        for record in wandb_records(file):
            if record.HasField("run"):
                assert record.run.run_id == state(config, "wandb")["id"]
                assert record.run.project == "fedmvp"
                settings = {item.key: item.value_json for item in record.run.config.update}
                assert settings["learning-rate"] == "0.1"
            if record.HasField("history"):
                items = {i.key or "/".join(i.nested_key): i.value_json for i in record.history.item}
                values = {key: json.loads(text) for key, text in items.items()}
                assert record.history.step.num > last, "W&B drops what does not grow"
                last, round = record.history.step.num, values.pop("round")
                found += [(k, round, x) for k, x in values.items() if not k.startswith("_")]
    return found


def wandb_records(path: Path) -> Iterator[Any]:
    """The records of an offline run: W&B's messages in the format of LevelDB's log."""
    from wandb.proto.wandb_internal_pb2 import Record

    block, data, position, parts = 32768, path.read_bytes(), 7, b""
    while position + 7 <= len(data):
        if block - position % block < 7:  # too little is left of the block for a header
            position += block - position % block
            continue
        length, kind = struct.unpack("<HB", data[position + 4 : position + 7])
        parts += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(parts)
            parts = b""


READERS = {
    "tensorboard": of_tensorboard,
    "wandb": of_wandb,
    "mlflow": of_mlflow,
    "trackio": of_trackio,
}


# --- the same for pictures: name -> (height, width, RGB of the first pixel), of which runs hold any

Pictures = dict[str, tuple[int, int, tuple[int, ...]]]


def seen(png: bytes) -> tuple[int, int, tuple[int, ...]]:
    with Image.open(io.BytesIO(png)) as picture:
        return picture.height, picture.width, picture.convert("RGB").getpixel((0, 0))


def pictures_of_tensorboard(config: RunConfig) -> Pictures:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(run_folder(config) / "loggers" / "tensorboard"))
    read.Reload()
    found = {name: read.Images(name)[-1] for name in read.Tags()["images"]}
    assert {event.step for event in found.values()} == {2}
    return {name: seen(event.encoded_image_string) for name, event in found.items()}


def pictures_of_mlflow(config: RunConfig) -> Pictures:
    from mlflow.tracking import MlflowClient

    store = run_folder(config) / "loggers" / "mlflow" / "mlflow.db"
    client, run = MlflowClient(f"sqlite:///{store}"), state(config, "mlflow")["id"]
    files = [
        Path(client.download_artifacts(run, f.path)) for f in client.list_artifacts(run, "pictures")
    ]
    return {path.stem: seen(path.read_bytes()) for path in files}


def pictures_of_trackio(config: RunConfig) -> Pictures:
    from trackio.sqlite_storage import SQLiteStorage
    from trackio.utils import MEDIA_DIR

    logs = SQLiteStorage.get_logs("fedmvp", state(config, "trackio")["id"])
    held = {k: v for entry in logs for k, v in entry.items() if isinstance(v, dict)}
    return {k: seen((Path(MEDIA_DIR) / v["file_path"]).read_bytes()) for k, v in held.items()}


def pictures_of_wandb(config: RunConfig) -> Pictures:
    found: Pictures = {}
    for folder in (run_folder(config) / "loggers" / "wandb").glob("wandb/offline-run-*"):
        (file,) = folder.glob("*.wandb")
        for record in wandb_records(file):
            items = {tuple(i.nested_key): i.value_json for i in record.history.item}
            for (name, *field), text in items.items():
                if field == ["path"]:
                    found[name] = seen((folder / "files" / json.loads(text)).read_bytes())
    return found


PICTURES_OF = {
    "tensorboard": pictures_of_tensorboard,
    "wandb": pictures_of_wandb,
    "mlflow": pictures_of_mlflow,
    "trackio": pictures_of_trackio,
}


def check_equal(tracker: str, config: RunConfig) -> None:
    """Each row of metrics.csv once, and nothing else."""
    name_of = allowed_name if tracker == "mlflow" else str
    rows = [(name_of(f"{s}/{m}"), r, value) for r, s, m, value in metric_rows(config)]
    found = READERS[tracker](config)
    assert [entry[:2] for entry in sorted(found)] == [row[:2] for row in sorted(rows)]
    tolerance = 1e-6 if tracker == "tensorboard" else 0
    for (name, round, value), (_, _, wanted) in zip(sorted(found), sorted(rows), strict=True):
        assert math.isclose(value, wanted, rel_tol=tolerance), (name, round)
    assert state(config, tracker)["rows"] == len(rows)


# --- whole runs


def killed_in_round(number: int) -> Callable[..., None]:
    """An `intercept` that ends the process' run when a round is asked for."""

    def intercept(message: Any, partition_id: int) -> None:
        if message.metadata.message_type == MessageType.TRAIN:
            intercept.asked += 1  # type: ignore[attr-defined]
            if intercept.asked == 2 * number:  # type: ignore[attr-defined]
                raise KeyboardInterrupt

    intercept.asked = 0  # type: ignore[attr-defined]
    return intercept


@pytest.fixture(scope="module")
def done() -> dict[str, Any]:
    """A run that was broken off and went on, for the tests of this module."""
    return {}


@pytest.fixture
def resumed(done: dict[str, Any], small_run: Make) -> RunConfig:
    """Two rounds under attack with all loggers at once, broken off in the second."""
    if not done:
        present = [name for name in LOGGERS if package_is_there(name)]
        config = small_run(
            log_to=",".join(present),
            rounds=2,
            evaluate_every=1,
            fraction_evaluate=1.0,
            local_epochs=1,
            robust_attack="fgsm",
            robust_images=4,
        )
        with pytest.raises(KeyboardInterrupt):
            run_federation(config, 2, intercept=killed_in_round(2))
        done["ids"] = {name: state(config, name) for name in present}
        again = config.with_values(resume="latest")
        run_federation(again, 2)
        done["config"] = again
    return done["config"]


def package_is_there(name: str) -> bool:
    try:
        __import__(name)
    except ImportError:
        return False
    return True


@pytest.mark.parametrize("tracker", LOGGERS)
def test_a_run_that_goes_on_is_one_run_with_every_number_once(
    resumed: RunConfig, done: dict[str, Any], tracker: str
) -> None:
    if not package_is_there(tracker):
        pytest.skip(f"{tracker} is not installed")
    before = done["ids"][tracker]
    assert before["id"]
    assert state(resumed, tracker)["id"] == before["id"]
    assert 0 < before["rows"] < len(metric_rows(resumed))
    check_equal(tracker, resumed)


def test_pictures_of_the_report_reach_each_logger_once(
    resumed: RunConfig, done: dict[str, Any], tmp_path: Path
) -> None:
    pictures = {}
    for i, name in enumerate(("attacked", "attention")):
        pictures[name] = tmp_path / f"{name}.png"
        Image.new("RGB", (6, 4 + i), (200, 10 * i, 30)).save(pictures[name])
    folder, present = run_folder(resumed), list(done["ids"])
    assert log_pictures(resumed, folder, pictures, 2) == present
    assert log_pictures(resumed, folder, pictures, 2) == []
    wanted = {"attacked": (4, 6, (200, 0, 30)), "attention": (5, 6, (200, 10, 30))}
    for tracker in present:
        assert PICTURES_OF[tracker](resumed) == wanted, tracker
        assert state(resumed, tracker)["id"] == done["ids"][tracker]["id"]


def test_the_loggers_of_a_run_go_with_it(resumed: RunConfig) -> None:
    """A run that takes the place of another begins new runs there."""
    folder = run_folder(resumed) / "loggers"
    assert folder.is_dir()
    remove_run(run_folder(resumed))
    assert not folder.exists()


# --- what a logger is given, and what becomes of one that fails


class Notes(ExperimentLogger):
    """A logger that writes down what it is told; `broken` is the method that raises."""

    name = "notes"
    broken = ""
    told: ClassVar[list[Any]] = []

    def _note(self, method: str, *words: Any) -> None:
        self.told.append((method, *words))
        if method == self.broken:
            raise OSError("no such server")

    def open(self, id: str) -> str:
        self._note("open", id)
        return id or "one"

    def log(self, round: int, scalars: Any, position: int) -> None:
        self._note("log", round, dict(scalars), position)

    def close(self, status: str) -> None:
        self._note("close", status)


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> type[Notes]:
    """Notes as an installed callback of the name."""

    class Installed(Notes):
        told: ClassVar[list[Any]] = []

    install(monkeypatch, CALLBACKS, "notes", Installed)
    return Installed


def passed_on(notes: type[Notes]) -> list[tuple[int, str, float]]:
    return [
        (call[1], name, value)
        for call in notes.told
        if call[0] == "log"
        for name, value in call[2].items()
    ]


def wanted(config: RunConfig) -> list[tuple[int, str, float]]:
    return [(round, f"{split}/{metric}", x) for round, split, metric, x in metric_rows(config)]


def test_a_logger_gets_the_rows_in_order_with_their_position(
    small_run: Make, notes: type[Notes]
) -> None:
    config = small_run(callbacks="notes", evaluate_every=1)
    run_federation(config, 2)
    assert passed_on(notes) == wanted(config)
    positions = [call[3] for call in notes.told if call[0] == "log"]
    assert positions == sorted(set(positions))
    assert [call for call in notes.told if call[0] != "log"] == [
        ("open", ""),
        ("close", "completed"),
    ]


def test_a_round_without_a_checkpoint_is_not_passed_on(
    small_run: Make, notes: type[Notes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It will be trained again, so that its numbers would be there twice."""
    config = small_run(callbacks="notes", rounds=3)
    monkeypatch.setattr(Examiner, "after_round", ends_in(2, Examiner.after_round))
    with pytest.raises(KeyboardInterrupt):
        run_federation(config, 2)
    assert {row[0] for row in metric_rows(config)} == {0, 1, 2}
    assert {round for round, _, _ in passed_on(notes)} == {0, 1}
    assert notes.told[-1] == ("close", "interrupted")
    monkeypatch.undo()
    install(monkeypatch, CALLBACKS, "notes", notes)
    run_federation(config.with_values(resume="latest"), 2)
    assert ("open", "one") in notes.told
    assert passed_on(notes) == wanted(config)


def ends_in(number: int, whole: Callable[..., None]) -> Callable[..., None]:
    """`Examiner.after_round` of a process that is ended before it writes a round's checkpoint."""

    def after_round(self: Examiner, round: int, *rest: Any) -> None:
        if round == number:
            raise KeyboardInterrupt
        whole(self, round, *rest)

    return after_round


def test_a_run_that_is_logged_from_a_later_round_on_is_logged_whole(
    small_run: Make, notes: type[Notes], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_run(callbacks="", rounds=2)
    with pytest.raises(KeyboardInterrupt):
        run_federation(config, 2, intercept=killed_in_round(2))
    run_federation(config.with_values(resume="latest", callbacks="notes"), 2)
    assert notes.told[0] == ("open", "")
    assert passed_on(notes) == wanted(config)


@pytest.mark.parametrize(
    ("broken", "hook"),
    [("open", "run_began"), ("log", "checkpoint_written"), ("close", "run_ended")],
)
def test_a_logger_that_fails_warns_once_and_the_run_goes_on(
    small_run: Make, notes: type[Notes], warnings: list[str], broken: str, hook: str
) -> None:
    notes.broken = broken
    config = small_run(callbacks="notes")
    run_federation(config, 2)
    assert read_status(run_folder(config))["status"] == "completed"
    assert [text for text in warnings if "notes" in text] == [
        f"callback 'notes' raised in {hook} and hears nothing more: OSError: no such server"
    ]
    assert [call[0] for call in notes.told].count(broken) == 1


def test_names_that_mlflow_would_merge_are_refused() -> None:
    logger = object.__new__(MlflowLogger)
    logger._names = {}
    assert logger._named("base/f1@3") == logger._named("base/f1@3") == "base/f1_3"
    with pytest.raises(ValueError, match=r"'base/f1=3' and 'base/f1@3' would both be 'base/f1_3'"):
        logger._named("base/f1=3")


# --- what is refused, and where an account is found


@pytest.mark.parametrize("tracker", LOGGERS)
def test_a_logger_that_is_not_installed_is_refused_before_the_run(
    small_run: Make, monkeypatch: pytest.MonkeyPatch, tracker: str
) -> None:
    monkeypatch.setitem(sys.modules, tracker, None)  # what makes an import fail
    config = small_run(log_to=tracker)
    said = rf'log-to is \'{tracker}\', which needs the .*pip install "fedmvp\[{tracker}\]"'
    with pytest.raises(ConfigError, match=said):
        check_start(config, clients=2)
    with pytest.raises(ConfigError, match=said):
        run_federation(config, 1)
    assert not (run_folder(config) / "metrics.csv").exists()
    result = CliRunner().invoke(cli.app, ["run", f"log-to={tracker}", "--dry-run"])
    assert result.exit_code == 2
    assert f'pip install "fedmvp[{tracker}]"' in result.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "wandbb",
            r"log-to is 'wandbb'; allowed: '', tensorboard, wandb, mlflow, trackio; did you",
        ),
        ("mlfow,wandb", r"with commas between; did you mean mlflow\?"),
        ("wandb,wandb", r"different ones of them"),
        ("neptune", r"log-to is 'neptune'; allowed: '', tensorboard, wandb, mlflow, trackio$"),
    ],
)
def test_unknown_loggers_are_named_with_the_nearest(small_run: Make, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        small_run(log_to=text)


def test_a_logger_that_is_named_twice_is_one(small_run: Make) -> None:
    config = small_run(log_to="mlflow", callbacks="mlflow")
    assert callback_names(config.run) == ["mlflow"]


def test_an_account_of_wandb_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not has_api_key()
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password key\n")
    assert has_api_key()
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert not has_api_key()
    monkeypatch.setenv("WANDB_API_KEY", "key")
    assert has_api_key()
