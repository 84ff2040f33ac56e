"""The image encoder as ONNX says what the model says, where there can be one."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import fedmvp
from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import options_type
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.errors import ConfigError
from fedmvp_core.methods.method import untrained_prompting
from fedmvp_core.tuned.hub import ONNX_FILE
from fedmvp_core.tuned.onnx_encoder import check_encoder
from simulations.export.writing import export_run

# As docs/python.md lists them.
WITH_ENCODER = {
    *("adv-maple", "apt", "avp", "capt", "fap", "fedapt", "fedclip", "fedkgcoop"),
    *("fedmaple", "fedpgp", "fedtpg", "fedvpt", "hep", "paft", "promptfl", "zs-clip"),
}


class _Named:
    """What check_encoder reads of a model."""

    def __init__(self, backbone: Backbone, prompting: object, method: str) -> None:
        self.backbone, self.prompting = backbone, prompting
        self.exported = type("Exported", (), {"method": method})


@pytest.mark.parametrize("method", sorted(e.name for e in entry_points(group="fedmvp.methods")))
def test_which_methods_have_an_encoder(method: str, tiny_backbone: Backbone) -> None:
    plugin = next(iter(entry_points(group="fedmvp.methods", name=method))).load()
    names = ("ant", "bee")
    sentences = tuple(f"a picture of a {name}." for name in names)
    words = ClassWords(names, names, sentences, ("a picture of a {class}.",))
    module = untrained_prompting(tiny_backbone, plugin, options_type(plugin)(), words, 1)
    model = _Named(tiny_backbone, module, method)
    if method in WITH_ENCODER:
        check_encoder(model)  # type: ignore[arg-type]
    else:
        with pytest.raises(ConfigError, match=f"method '{method}' .* no ONNX image encoder"):
            check_encoder(model)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["capt", "fedclip"])
def test_onnxruntime_has_the_models_features(
    exports: Mapping[str, tuple[Path, Path]], method: str, tmp_path: Path
) -> None:
    folder = export_run(exports[method][0], tmp_path / method, onnx=True)
    assert ONNX_FILE in (folder / "README.md").read_text()
    model = fedmvp.load(folder, device="cpu")
    session = onnxruntime.InferenceSession(str(folder / ONNX_FILE))
    for count in (1, 3):
        images = torch.rand(count, 3, 64, 64)
        (found,) = session.run(None, {"images": images.numpy()})
        assert np.abs(found - model.encode_image(images).numpy()).max() <= 1e-4
        assert np.abs(np.linalg.norm(found, axis=1) - 1).max() <= 1e-4
    export_run(exports[method][0], tmp_path / method)
    assert not (folder / ONNX_FILE).exists()  # it would not be the new model's


def test_a_refused_encoder_leaves_nothing(
    exports: Mapping[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="method 'fedmvp' makes image prompts of the classes"):
        export_run(exports["fedmvp"][0], tmp_path / "model", onnx=True)
    assert not (tmp_path / "model").exists()
