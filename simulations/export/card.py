"""The model card of an export: what it is, what it reached, and how to load it."""

from collections.abc import Iterator
from pathlib import Path

from fedmvp_core.methods.method import Method
from fedmvp_core.registry import METHODS, find
from fedmvp_core.run_folder import METRICS, read_metrics
from fedmvp_core.tuned import TunedCLIP
from simulations.runner.results import (
    Accuracies,
    final_accuracies,
    final_headline,
    final_robust_accuracies,
    read_config,
    shown,
)

SHOWN_CLASSES = 200
_FRONT = """---
library_name: fedmvp
pipeline_tag: zero-shot-image-classification
tags: [fedmvp, clip, prompt-tuning, federated-learning]
---
"""


def model_card(folder: Path, model: TunedCLIP, name: str, onnx: bool = False) -> str:
    """Markdown, with the front matter that the Hugging Face hub reads.

    folder: the run's. name: what the model is called.
    """
    parts = [_front(name), _load(name, onnx), _facts(model), _numbers(folder)]
    parts += [_privacy(folder), _classes(model)]
    return "\n".join(part for part in parts if part)


def _front(name: str) -> str:
    return f"{_FRONT}\n# {name}\n\nA frozen CLIP with prompts tuned by a federation.\n"


def _load(name: str, onnx: bool) -> str:
    more = (
        "\n`image_encoder.onnx` maps `images` (n, 3, size, size) in [0, 1] to unit `features`.\n"
        if onnx
        else ""
    )
    return (
        "```python\nimport fedmvp\n\n"
        f'model = fedmvp.load("{name}")  # this folder, or its id on the hub\n'
        'model.classify(["picture.jpg"])\n```\n' + more
    )


def _facts(model: TunedCLIP) -> str:
    exported, frozen = model.exported, model.exported.backbone
    method: Method = find(METHODS, exported.method)
    about = dict(exported.about)
    numbers = sum(tensor.numel() for tensor in model.prompting.prompt_tensors().values())
    rows = {
        "method": f"{exported.method} ({method.paper})",
        "options": exported.method_options or "none",
        "objective": about["objective"],
        "prompt tensors": f"{numbers:,} numbers",
        "backbone": f"{frozen.name}, pretrained {frozen.pretrained or 'random (fixed seed)'}",
        "weights hash": frozen.weights_hash,
        "image size": f"{frozen.image_size} pixels",
        "data set": about["dataset"],
        "setting": about["setting"],
        "rounds": f"{about['round']} of {about['rounds']}, {about['aggregation']}",
        "template": exported.known.template,
        "attributes": f"{about['attributes']}, weight {exported.known.attribute_weight:g}",
    }
    return _table(("", ""), [(name, f"`{_cell(value)}`") for name, value in rows.items()])


def _numbers(folder: Path) -> str:
    clean, headline = final_accuracies(folder), final_headline(folder)
    attack, robust = final_robust_accuracies(folder)
    if not clean:
        return "The run has measured nothing.\n"
    heads = ["split", f"{headline}, frozen", f"{headline}, tuned"]
    if attack:
        heads += [f"frozen under {attack.spoken}", f"tuned under {attack.spoken}"]
    return _table(heads, _rows(clean, robust if attack else None))


def _rows(clean: Accuracies, robust: Accuracies | None) -> Iterator[tuple[str, ...]]:
    for split, values in clean.items():
        attacked = () if robust is None else robust.get(split, (None, None))
        yield (_cell(split), *(shown(value) for value in (*values, *attacked)))


def _privacy(folder: Path) -> str:
    privacy = read_config(folder).privacy
    if privacy.privacy == "none":
        return "Trained without differential privacy.\n"
    rows = read_metrics(folder / METRICS)
    spent = [
        value for _, split, metric, value in rows if (split, metric) == ("train", "dp-epsilon")
    ]
    told = f"epsilon {spent[-1]:.3g} at delta {privacy.dp_delta:g}" if spent else "nothing"
    return f"Trained with {privacy.privacy} differential privacy; spent: {told}.\n"


def _classes(model: TunedCLIP) -> str:
    names = model.class_names
    rest = len(names) - SHOWN_CLASSES
    listed = ", ".join(_cell(name) for name in names[:SHOWN_CLASSES])
    return f"Trained classes ({len(names)}): {listed}{f', and {rest} more' if rest > 0 else ''}.\n"


def _table(heads: tuple[str, ...] | list[str], rows: object) -> str:
    lines = [tuple(heads), tuple("---" for _ in heads), *rows]  # type: ignore[misc]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value: object) -> str:
    """A value that a user may have named, as one cell of a table."""
    return str(value).replace("|", "\\|").replace("\n", " ").replace("`", "'")
