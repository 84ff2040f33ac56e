"""Run folders as a run would leave them, with made-up numbers."""

import csv
import json
import math
import random
from pathlib import Path
from typing import Any

ROUNDS = 20
DOMAINS = ("fluent-flat", "noto", "openmoji", "twemoji")
# Names that would break a page or a chart that does not escape them.
AWKWARD = ('<b>bold & "quoted"</b>', "costs $5 or $6", "None")


def write_run(
    folder: Path,
    *,
    setting: str = "base-to-new",
    clients: int = 6,
    classes: int = 17,
    done: int = ROUNDS,
    status: str = "completed",
    error: str | None = None,
    lora_from: int = 12,
    config: dict[str, Any] | None = None,
    attack: str = "",
    alpha_cons: bool = False,
) -> Path:
    """A folder with everything that `done` of 20 rounds leave behind.

    attack: as metrics name it, such as "pgd-10 eps=4/255": adds an evaluation under attack, in the
    first round, every fifth and the last. alpha_cons: adds it to every step.
    """
    folder.mkdir(parents=True)
    draw = random.Random(clients * 1000 + classes)
    names = [*AWKWARD, *(f"class {i:03d}" for i in range(2 * classes))]
    base, new = names[:classes], names[classes : 2 * classes]
    _json(folder / "config.json", _config(setting, clients) | (config or {}))
    _json(folder / "environment.json", ENVIRONMENT)
    state = {"status": status, "rounds": ROUNDS, "rounds-completed": done, "error": error}
    _json(folder / "status.json", state)
    _json(folder / "shards.json", [_shard(i, clients, base) for i in range(clients)])
    rows = _rows(setting, clients, done, lora_from, draw)
    if attack:
        rows += _attacked_rows(rows, attack, done)
    if alpha_cons:
        rows += _steps(folder / "steps.csv", clients, done)
    _table(folder / "metrics.csv", ["round", "split", "metric", "value"], rows)
    _progress(folder / "progress.jsonl", rows, clients, status, error)
    if status == "completed":
        splits = {"base": base, "new": new} if setting == "base-to-new" else {"target": base}
        _classes(folder / "classes.csv", splits, draw)
    return folder


ENVIRONMENT = {
    "fedmvp": "0.1.0",
    "python": "3.11.2",
    "torch": "2.15.0",
    "platform": "Linux",
    "device": "cpu",
    "started": "2026-01-02T10:00:00+00:00",
    "ended": "2026-01-02T10:03:20+00:00",
    "seconds": 200.0,
}


def _config(setting: str, clients: int) -> dict[str, Any]:
    return {
        "run-name": "a <run> & more",
        "output-dir": "/somewhere/runs",
        "seed": 7,
        "backbone": "tiny",
        "pretrained": "embedded",
        "method": "fedmvp",
        "dataset": "emojidomains",
        "template": "a picture of a {class}.",
        "setting": setting,
        "target-domain": "sketch",
        "partition": "disjoint-classes",
        "clients": clients,
        "learning-rate": 0.01,
        "rounds": ROUNDS,
        "evaluate-every": 5,
    }


def _shard(index: int, clients: int, base: list[str]) -> dict[str, Any]:
    own = {name: 8 for place, name in enumerate(base) if place % clients == index}
    domains = {domain: 2 * len(own) for domain in DOMAINS}
    return {"partition-id": index, "num-examples": 8 * len(own), "classes": own, "domains": domains}


def _rows(
    setting: str, clients: int, done: int, lora_from: int, draw: random.Random
) -> list[tuple[int, str, str, float]]:
    plain = {"local": 0.62, "base": 0.402, "new": 0.451, "harmonic-mean": 0.4762}
    gain = {"local": 0.12, "base": 0.095, "new": -0.031, "harmonic-mean": 0.0441}
    if setting == "msst":
        plain, gain = {"source": 0.55, "target": 0.31}, {"source": 0.11, "target": 0.052}
    else:
        for index in range(clients):
            split = f"client-{index:03d}"
            plain[split] = draw.uniform(0.4, 0.8)
            gain[split] = draw.uniform(-0.05, 0.18)
    rows: list[tuple[int, str, str, float]] = []
    for number in range(done + 1):
        if number:
            rows += _round(number, clients, number >= lora_from)
        if number % 5 == 0:
            share = 1 - math.exp(-number / 4) if number < ROUNDS else 1
            for split, value in plain.items():
                rows.append((number, split, "accuracy", value + gain[split] * share))
                if number == 0:
                    rows.append((0, split, "zero-shot-accuracy", value))
    return rows


def _round(number: int, clients: int, lora: bool) -> list[tuple[int, str, str, float]]:
    up, down = (42_000 if lora else 1_900_000), 1_900_000
    loss = 1.2 + 3 * math.exp(-number / 6)
    failed = 1 if number == 3 else 0
    values = {"loss": loss, "seconds": 4 + 0.1 * (number % 4), "clients": clients}
    values |= {"failed-clients": failed, "bytes-up": up * clients, "bytes-down": down * clients}
    rows = [(number, "train", metric, float(value)) for metric, value in values.items()]
    for index in range(clients):
        own = {"train-loss": loss, "lora-phase": lora, "num-examples": 24, "bytes-up": up}
        rows += [(number, f"client-{index:03d}", m, float(value)) for m, value in own.items()]
    return rows


def _attacked_rows(
    rows: list[tuple[int, str, str, float]], attack: str, done: int
) -> list[tuple[int, str, str, float]]:
    """Robust accuracy is 0.4 of the clean one, for zero-shot CLIP 0.3 of it."""
    found: list[tuple[int, str, str, float]] = []
    for number, split, metric, value in rows:
        own, shared = split.startswith("client-"), split in ("local", "harmonic-mean")
        whole = number == ROUNDS
        if metric == "accuracy":
            found.append((number, split, f"robust-accuracy[{attack}]", 0.4 * value))
        if metric == "zero-shot-accuracy" and done == ROUNDS:
            found.append((0, split, f"zero-shot-robust-accuracy[{attack}]", 0.3 * value))
        if metric == "accuracy" and not shared:
            found.append((number, split, "attacked-images", 300 if whole else 11 if own else 64))
            found.append((number, split, "alignment", 0.3 + 0.001 * number))
            found.append((number, split, f"attacked-alignment[{attack}]", 0.2))
        if metric == "zero-shot-accuracy" and done == ROUNDS and not shared:
            found.append((0, split, "zero-shot-attacked-images", 300))
            found.append((0, split, "zero-shot-alignment", 0.29))
            found.append((0, split, f"zero-shot-attacked-alignment[{attack}]", 0.19))
    return found


def _steps(path: Path, clients: int, done: int) -> list[tuple[int, str, str, float]]:
    """steps.csv, with 4 steps for the first client, 5 for the next, ...; alpha-cons falls.

    Returns what metrics.csv holds of it.
    """
    steps: list[tuple[int, str, int, str, float]] = []
    means: list[tuple[int, str, str, float]] = []
    for number in range(1, done + 1):
        for index in range(clients):
            values = [0.8 / number - 0.01 * step for step in range(4 + index)]
            split = f"client-{index:03d}"
            for step, value in enumerate(values, 1):
                steps += [(number, split, step, "loss", 1.0)]
                steps += [(number, split, step, "alpha-cons", value)]
            means.append((number, split, "alpha-cons", sum(values) / len(values)))
    _table(path, ["round", "split", "step", "metric", "value"], steps)
    return means


def _progress(
    path: Path,
    rows: list[tuple[int, str, str, float]],
    clients: int,
    status: str,
    error: str | None,
) -> None:
    events: list[dict[str, Any]] = [
        {"event": "start", "rounds": ROUNDS, "clients": clients, "prompt-numbers": 470_000}
    ]
    for number in sorted({row[0] for row in rows}):
        of_round = {m: v for n, split, m, v in rows if n == number and split == "train"}
        if of_round:
            of_round["failed"] = of_round.pop("failed-clients")
            events.append({"event": "round", "round": number, **of_round})
        accuracy = {
            split: value
            for n, split, metric, value in rows
            if n == number and metric == "accuracy" and not split.startswith("client-")
        }
        if accuracy:
            events.append({"event": "evaluation", "round": number, "accuracy": accuracy})
        for metric in sorted({row[2] for row in rows if row[2].startswith("robust-accuracy")}):
            robust = {
                split: value
                for n, split, m, value in rows
                if n == number and m == metric and not split.startswith("client-")
            }
            if robust:
                event = {"event": "robust-evaluation", "round": number, "attack": metric}
                events.append({**event, "accuracy": robust})
    if status != "running":
        events.append({"event": "end", "status": status, "error": error})
    path.write_text("".join(json.dumps(event) + "\n" for event in events))


def _classes(path: Path, splits: dict[str, list[str]], draw: random.Random) -> None:
    rows = []
    for split, names in splits.items():
        for name in names:
            plain = draw.uniform(0.1, 0.9)
            rows.append((split, name, 30, plain, min(max(plain + draw.uniform(-0.2, 0.3), 0), 1)))
    _table(path, ["split", "class", "images", "zero_shot_accuracy", "accuracy"], rows)


def _table(path: Path, header: list[str], rows: list[Any]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))
