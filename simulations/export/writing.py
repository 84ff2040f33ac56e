"""Writes the tuned model of a run into a folder that another machine can load."""

import logging
from pathlib import Path

from fedmvp_core.disk import replace_text
from fedmvp_core.errors import ConfigError, DataError
from fedmvp_core.tuned import MODEL_FILE, write_export
from fedmvp_core.tuned.hub import CARD_FILE, ONNX_FILE
from simulations.export.card import model_card
from simulations.runner.saved_run import SavedRun, load_saved_run, told
from simulations.runner.tuned_run import exported_of, tuned_model

logger = logging.getLogger(__name__)

EXPORTS = Path("exports")


def export_run(
    folder: Path,
    output: Path | None = None,
    onnx: bool = False,
    data_dir: Path | None = None,
    name: str = "",
) -> Path:
    """Write a run's model and its card, and return their folder.

    output: the folder; None: the run's name below exports/. onnx: the image encoder too.
    data_dir: where the run's pictures are now, if they were moved. name: what the card calls the
    model; "": as the folder.

    Raises:
        ConfigError: the run has no model to take away, its image encoder is none that ONNX can
            hold, or the folder is in use for something else.
        CheckpointError: the run holds no usable checkpoint.
        DataError: the folder cannot be written.
    """
    place = (output or EXPORTS / folder.name).expanduser().absolute()
    _check_place(place)
    saved = load_saved_run(folder, data_dir=data_dir)
    check_exportable(saved)
    if said := told(saved):
        logger.warning("%s; the classes are the run's", said)
    model = tuned_model(saved)
    try:
        if onnx:
            from fedmvp_core.tuned.onnx_encoder import write_image_encoder

            write_image_encoder(model, place / ONNX_FILE)
        else:
            (place / ONNX_FILE).unlink(missing_ok=True)  # of an earlier export
        write_export(place / MODEL_FILE, exported_of(saved), saved.prompting.prompt_tensors())
        replace_text(place / CARD_FILE, model_card(folder, model, name or place.name, onnx))
    except OSError as error:
        raise DataError(f"'{place}' cannot be written: {error.strerror or error}") from None
    return place


def check_exportable(saved: SavedRun) -> None:
    """Refuse a run that has no one model to take away.

    Raises:
        ConfigError: nothing is trained, or clients keep a part of it to themselves.
    """
    method, personal = saved.config.model.method, saved.prompting.personal_tensors()
    if not saved.prompting.prompt_tensors():
        raise ConfigError(
            f"method '{method}' trains nothing, so there is no tuned model to export; load the "
            f"backbone '{saved.config.model.backbone}' with open_clip"
        )
    if personal:
        raise ConfigError(
            f"method '{method}' lets each client keep {', '.join(personal)}; the run has no model "
            "without them, so there is none to export"
        )


def _check_place(place: Path) -> None:
    """Raises ConfigError for a folder whose README.md is not the card of an earlier export."""
    if place.exists() and not place.is_dir():
        raise ConfigError(f"output is '{place}', which is a file; allowed: a folder")
    if (place / CARD_FILE).exists() and not (place / MODEL_FILE).exists():
        raise ConfigError(
            f"output is '{place}', which holds a {CARD_FILE} of something else; allowed: a new "
            "folder, or one of an earlier export"
        )
