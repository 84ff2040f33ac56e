"""The same images and classes are attacked once, whichever splits and clients ask for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from federation_harness import metric_rows, run_federation

from fedmvp_core import evaluation
from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from server_app.evaluation import robust

CLIENTS = 3


@pytest.mark.parametrize(("partition", "attacked"), [("iid", 2), ("disjoint-classes", 2 + CLIENTS)])
def test_one_attack_for_the_same_classes(
    small_run: Callable[..., RunConfig],
    monkeypatch: pytest.MonkeyPatch,
    partition: str,
    attacked: int,
) -> None:
    sets: list[int] = []

    def counted(*arguments: Any, **more: Any) -> evaluation.UnderAttack:
        sets.append(len(arguments[3]))
        return evaluation.evaluate_under_attack(*arguments, **more)

    monkeypatch.setattr(robust, "evaluate_under_attack", counted)
    config = small_run(
        rounds=1,
        partition=partition,
        robust_attack="fgsm",
        robust_steps=1,
        robust_every=0,
        attack_classes="global",
    )
    run_federation(config, CLIENTS)
    # Base, new, and each different set of classes; zero-shot, untrained and tuned.
    several = [s for s in sets if s]
    assert len(several) <= 3 * attacked
    rows = {(s, m): v for n, s, m, v in metric_rows(config) if n == 1}
    found = [
        value
        for (split, metric), value in sorted(rows.items())
        if split.startswith("client-") and metric.startswith("robust-accuracy")
    ]
    assert len(found) == CLIENTS
    if partition == "iid":
        assert len(several) == 3 * attacked
        assert len(set(found)) == 1
        assert {v for (s, m), v in rows.items() if s == "base" and m.startswith("robust-a")} == {
            *found
        }


def test_what_an_attack_leaves_of_the_frozen_model_is_kept_for_the_next_run(
    small_run: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    attacked: list[bool] = []

    def counted(backbone: Backbone, prompting: Any, *more: Any) -> evaluation.UnderAttack:
        attacked.append(prompting is None)
        return evaluation.evaluate_under_attack(backbone, prompting, *more)

    monkeypatch.setattr(robust, "evaluate_under_attack", counted)
    found = []
    for run in ("first", "second"):
        config = small_run(
            **{"run_name": run, "rounds": 1, "cache_dir": str(tmp_path / "kept")},
            **{"robust_attack": "fgsm", "robust_steps": 1},
        )
        run_federation(config, CLIENTS)
        rows = [row[1:] for row in metric_rows(config) if "zero-shot-robust" in row[2]]
        found.append((attacked.count(True), rows))
        attacked.clear()
    assert found[0][0] > 0
    assert found[0][1]
    assert found[1] == (0, found[0][1])


def test_the_last_attack_is_on_as_many_images_as_were_asked_for(
    small_run: Callable[..., RunConfig],
) -> None:
    config = small_run(
        rounds=1, partition="iid", robust_attack="fgsm", robust_steps=1, robust_last_images=3
    )
    run_federation(config, CLIENTS)
    attacked = {
        (s, v) for n, s, m, v in metric_rows(config) if n == 1 and m.startswith("attacked-images")
    }
    # Each client holds all of base, so it has base's number.
    clients = {(f"client-{k:03d}", 3.0) for k in range(CLIENTS)}
    assert attacked == {("base", 3.0), ("new", 3.0), *clients}
