"""An exported model, loaded without Flower and Ray, is the run's own."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tuned_exports import METHODS

from fedmvp_core.data.catalogue import attribute_template, class_template
from fedmvp_core.logits import class_logits
from fedmvp_core.tasks import Task, encode_task
from fedmvp_core.tuned import MODEL_FILE
from simulations.runner.saved_run import SavedRun, load_saved_run

TRAINED, NEW = ("ant", "bee", "cow"), ("zebra", "ant", "quay")
# Loads every folder named and writes what it says of the same images.
ALONE = """
import sys
for name in ("flwr", "ray", "pandas", "typer"):
    sys.modules[name] = None  # an import of it fails
import torch
torch.set_num_threads(1)
from safetensors.torch import load_file, save_file
import fedmvp

images = load_file(sys.argv[1])["images"]
found = {}
for folder in sys.argv[3:]:
    model = fedmvp.load(folder, device="cpu")
    method = model.exported.method
    found[f"{method} trained"] = model.logits(images)
    found[f"{method} new"] = model.logits(images, ["zebra", "ant", "quay"])
    if method == "fedkeep":  # images have one feature for trained classes, and one for others
        continue
    features = model.encode_image(images, ["zebra", "ant", "quay"])
    classes = model.encode_classes(["zebra", "ant", "quay"])
    found[f"{method} cosines"] = model.backbone.logit_scale * features @ classes.T
save_file(found, sys.argv[2])
"""


def own_logits(saved: SavedRun, task: Task, images: torch.Tensor) -> torch.Tensor:
    """What the run's own modules say."""
    encoded = encode_task(saved.backbone, task, saved.cache)
    with torch.no_grad():
        features = saved.prompting(saved.backbone, images, encoded)
        return class_logits(features, encoded, saved.backbone.logit_scale)


def test_a_fresh_process_without_flower_and_ray_has_the_runs_logits(
    exports: Mapping[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    images = torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    save_file({"images": images}, tmp_path / "images.safetensors")
    folders = [str(exports[method][1]) for method in METHODS]
    words = [str(tmp_path / "images.safetensors"), str(tmp_path / "found.safetensors"), *folders]
    subprocess.run([sys.executable, "-c", ALONE, *words], check=True, cwd=tmp_path, timeout=300)
    found = load_file(tmp_path / "found.safetensors")
    for method in METHODS:
        saved = load_saved_run(exports[method][0])
        data = saved.config.data
        bare = Task(NEW, ((),) * 3, class_template(data), attribute_template(data))
        own = own_logits(saved, saved.setting.make_task(TRAINED), images)
        torch.testing.assert_close(found[f"{method} trained"], own, rtol=0, atol=1e-6)
        own = own_logits(saved, bare, images)
        torch.testing.assert_close(found[f"{method} new"], own, rtol=0, atol=1e-6)
        if method != "fedkeep":
            torch.testing.assert_close(found[f"{method} cosines"], own, rtol=0, atol=1e-4)


def test_the_file_says_what_it_is_and_names_no_path(
    exports: Mapping[str, tuple[Path, Path]], picture_folder: Path
) -> None:
    run, folder = exports["fedmvp"]
    with safe_open(folder / MODEL_FILE, framework="pt") as file:
        header = file.metadata()
    assert header["format-version"] == "1"
    for name in ("method", "method_options", "words", "known", "backbone", "preprocessing"):
        assert name in header
    assert '"weights_hash"' in header["backbone"]
    assert '"image_size": 64' in header["backbone"]
    everything = " ".join(header.values()) + (folder / "README.md").read_text()
    assert str(picture_folder) not in everything
    assert str(run.parent) not in everything
