"""`--dry-run` green means that the run does not end for a reason that was knowable at its start."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedmvp_core.config import Scalar
from fedmvp_core.config.keys import STRESS_ATTACKS
from fedmvp_core.data.emoji import scenes as emojiscenes
from fedmvp_core.errors import FedMVPError
from fedmvp_core.registry import AGGREGATIONS, ATTACKS, METHODS, PARTITIONS, SETTINGS, names_in
from fedmvp_core.run_folder import COMPLETED
from simulations.runner.dry_run import look
from simulations.runner.inline import run_inline
from simulations.runner.named_runs import NamedRun
from simulations.runner.planning import INLINE, plan_run

# One short round of weak attacks on the tiny model with random weights.
QUICK: dict[str, Scalar] = {
    "backbone": "tiny",
    "pretrained": "",
    "device": "cpu",
    "local-epochs": 1,
    "attack-steps": 1,
    "robust-steps": 1,
    "robust-images": 2,
    "decode-cache": False,
    "node-timeout": 5.0,
}
USUAL: dict[str, Scalar] = {
    "dataset": "imagefolder",
    "setting": "few-shot",
    "partition": "iid",
    "rounds": 1,
    "shots": 2,
    "robust-attack": "fgsm",
}
CHOICES: dict[str, tuple[Scalar, ...]] = {
    "rounds": (0, 2),
    "shots": (0, 1, 9),
    "batch-size": (1, 3),
    "aggregation": names_in(AGGREGATIONS),
    "partition": names_in(PARTITIONS),
    "setting": names_in(SETTINGS),
    "robust-attack": ("none", *names_in(ATTACKS)),
    "robust-every": (0, 1),
    "attack-classes": ("local", "global"),
    "weighting": ("examples",),
    "fraction-train": (0.5, 0.01),
    "fraction-evaluate": (1.0, 0.2),
    "min-clients": (2, 3, 50),
    "start-clients": (1, 9),
    "privacy": ("local", "central"),
    "share-metrics": (False,),
    "share-class-names": (False,),
    "eval-split": ("validation",),
    "shot-sampling": ("coop",),
    "stress-attack": STRESS_ATTACKS,
    "stress-fraction": (0.5, 1.0),
    "on-too-few": ("repeat",),
    "mask-rate": (0.5,),
    "metrics": ("map", "accuracy,map"),
    "max-update-norm": (0.0,),
    "max-examples": (1,),
    "attribute-weight": (0.0, 1.0),
    "attributes": ("none",),
    "learning-rate": (0.0, 100.0),
    "multi-label-loss": ("bce", "softmax"),
    "augmentation": ("crops",),
    "cached-views": (0, 2),
    "clients-per-batch": (2, 9),
    "clients": (1, 2),
    "epsilon": ("0", "1"),
    "robust-epsilon": ("0", "1"),
    "precision": ("bf16",),
    "evaluate-every": (1, 7),
}
SCENES: dict[str, Scalar] = {"setting": "multi-label", "shots": 0}  # several labels an image


def configurations(*datasets: str) -> st.SearchStrategy[dict[str, Any]]:
    """A usual run of any method in which a few keys have other values, that may not go together."""
    changed = st.lists(st.sampled_from(sorted(CHOICES)), max_size=4, unique=True).flatmap(
        lambda keys: st.fixed_dictionaries({k: st.sampled_from(CHOICES[k]) for k in keys})
    )
    always = st.fixed_dictionaries(
        {"dataset": st.sampled_from(datasets), "method": st.sampled_from(names_in(METHODS))}
    )

    def together(some: dict[str, Any], drawn: dict[str, Any]) -> dict[str, Any]:
        own = SCENES if drawn["dataset"] == "emojiscenes" else {}
        return {**USUAL, **own, **drawn, **some}

    return st.builds(together, changed, always)


@pytest.fixture
def few_scenes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The embedded scenes, few of them."""
    emojiscenes._load.cache_clear()
    monkeypatch.setattr(emojiscenes, "SCENES", {"train": 24, "validation": 12, "test": 12})
    yield
    emojiscenes._load.cache_clear()


def ends_as_its_dry_run_says(keys: dict[str, Any], clients: int, pictures: Path) -> str:
    """Dry run, then run: "refused", "completed", or why a run ended that nothing had refused."""
    with tempfile.TemporaryDirectory() as folder:
        data = {"data-dir": str(pictures)} if keys["dataset"] == "imagefolder" else {}
        places = {"output-dir": folder, "cache-dir": f"{folder}/cache", "run-name": "drawn"}
        run = NamedRun("drawn", "", 0, QUICK)
        try:
            plan = plan_run(run, {**keys, **data, **places}, clients, engine=INLINE)
            look(plan.config, plan.supernodes)
        except FedMVPError:
            return "refused"
        outcome = run_inline(plan.config, plan.supernodes, lambda event: None)
        return outcome.status if outcome.status == COMPLETED else f"{outcome.error}"


def limits(examples: int) -> settings:
    slow = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        suppress_health_check=slow,
    )


@limits(16)
@given(configurations("imagefolder"), st.integers(1, 6))
def test_green_runs_complete(picture_folder: Path, keys: dict[str, Any], clients: int) -> None:
    assert ends_as_its_dry_run_says(keys, clients, picture_folder) in ("refused", COMPLETED)


@pytest.mark.slow
@limits(40)
@given(configurations("imagefolder", "emojiscenes"), st.integers(1, 8))
def test_many_green_runs_complete(
    picture_folder: Path, few_scenes: None, keys: dict[str, Any], clients: int
) -> None:
    assert ends_as_its_dry_run_says(keys, clients, picture_folder) in ("refused", COMPLETED)


@pytest.mark.parametrize("method", ["apt", "avp", "adv-maple"])
def test_training_with_an_attack_that_may_change_nothing(picture_folder: Path, method: str) -> None:
    keys = {**USUAL, "method": method, "epsilon": "0", "robust-attack": "none"}
    assert ends_as_its_dry_run_says(keys, 2, picture_folder) == COMPLETED
