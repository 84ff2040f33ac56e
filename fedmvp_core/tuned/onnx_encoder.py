"""The tuned image encoder as ONNX, where it is a function of the pixels alone."""

import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fedmvp_core.disk import replace_file
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting import Prompting
from fedmvp_core.tuned.model import TunedCLIP

OPSET = 18
IMAGES, FEATURES = "images", "features"


class _NoTask:
    """Stands for a task; whoever reads it makes image features of the classes asked for."""

    def __getattr__(self, name: str) -> Any:
        raise _ReadsTaskError(name)


class _ReadsTaskError(Exception):
    pass


class _ImageEncoder(nn.Module):
    def __init__(self, model: TunedCLIP) -> None:
        super().__init__()
        self.backbone, self.prompting = model.backbone, model.prompting

    def forward(self, images: Tensor) -> Tensor:
        return self.prompting.image_features(self.backbone, images, _NoTask())  # type: ignore[arg-type]


def check_encoder(model: TunedCLIP) -> None:
    """Refuse a method whose classification is more than image features of the pixels alone.

    Raises:
        ConfigError: it is; the method is named.
    """
    module, owner = model.prompting, f"method '{model.exported.method}'"
    size = model.backbone.image_size
    if type(module).recognise is not Prompting.recognise:
        raise ConfigError(
            f"{owner} classifies by a rule of its own, which image features alone do not serve; "
            "it has no ONNX image encoder"
        )
    if type(module).class_features_for is not Prompting.class_features_for:
        raise ConfigError(
            f"{owner} makes the text of a class for each image; it has no ONNX image encoder"
        )
    try:
        with torch.no_grad():
            one = torch.zeros(1, 3, size, size, device=model.backbone.device)
            _ImageEncoder(model)(one)
    except _ReadsTaskError:
        raise ConfigError(
            f"{owner} makes image prompts of the classes asked for; it has no ONNX image encoder"
        ) from None


def write_image_encoder(model: TunedCLIP, path: Path) -> None:
    """Write `images` (n, 3, size, size), floats in [0, 1] -> unit `features` (n, d).

    The pixels are normalised inside.

    Raises:
        ConfigError: see check_encoder; or the packages of fedmvp[onnx] are not installed.
        OSError: the folder cannot be written.
    """
    check_encoder(model)
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"ONNX needs a package: {error}; pip install fedmvp[onnx]") from None
    size, device = model.backbone.image_size, model.backbone.device
    encoder = _ImageEncoder(model).eval()
    example = torch.rand(2, 3, size, size, device=device)
    path.parent.mkdir(parents=True, exist_ok=True)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            encoder,
            (example,),
            input_names=[IMAGES],
            output_names=[FEATURES],
            dynamic_shapes={"images": {0: torch.export.Dim.DYNAMIC}},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise ConfigError("torch made no ONNX program of the image encoder")
    replace_file(path, lambda file: program.save(str(file)))
