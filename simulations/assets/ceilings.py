"""What the embedded data sets leave to learn: zero-shot, linear probe and fine-tuned, all classes.

python -m simulations.assets.ceilings [NAME ...]        prints the table of docs/small_data.md
"""

import sys
from collections.abc import Sequence

from fedmvp_core.backbone import cached_image_features
from fedmvp_core.config import parse_config
from fedmvp_core.evaluation import zero_shot_probabilities
from fedmvp_core.tasks import encode_task
from fedmvp_core.workspace import open_workspace
from simulations.runner.project import default_config
from simulations.suite.ceilings import ceilings

NINE = (
    *("emoji-activities", "emoji-animals-nature", "emoji-food-drink", "emoji-objects"),
    *("emoji-travel-places", "fashion-mnist", "digits", "letters", "kana"),
)


def row(dataset: str) -> tuple[int, float, float, float]:
    """Classes, and the three accuracies on test pictures, of the plain (not robust) tiny CLIP."""
    keys = {"dataset": dataset, "setting": "few-shot", "pretrained": "embedded", "partition": "iid"}
    config = parse_config({**default_config(), **keys})
    workspace = open_workspace(config)
    test = workspace.setting.evaluations[0]
    task = encode_task(workspace.backbone, test.task, workspace.cache)
    seen = cached_image_features(workspace.backbone, test.images.images, workspace.cache)
    guessed = zero_shot_probabilities(workspace.backbone, task, seen).argmax(dim=-1)
    zero_shot = (guessed == test.images.labels).double().mean().item()
    reached = ceilings(config, clients=1)
    name = test.name
    probe, tuned = reached["linear-probe"][name], reached["fine-tuned"][name]
    return len(test.task.class_names), zero_shot, probe, tuned


def main(names: Sequence[str]) -> None:
    print("| data set | classes | zero-shot | linear probe | fine-tuned |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in names or NINE:
        classes, *accuracies = row(name)
        cells = " | ".join(f"{100 * value:.1f} %" for value in accuracies)
        print(f"| `{name}` | {classes} | {cells} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
