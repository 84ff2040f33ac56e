"""Two rounds of each personal and multi-label method: what travels, what stays, what is said."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from federation_harness import final_tensors, metric_rows, run_federation, run_folder
from flwr.app import ArrayRecord
from small_scenes import small_dataset

from fedmvp_core.config import RunConfig
from fedmvp_core.data.emoji import scenes as emojiscenes
from simulations.runner.saved_run import load_saved_run

Make = Callable[..., RunConfig]
KEPT = {
    "fedotp": {"own.context"},
    "fedpgp": {"left", "right"},
    "fedmgp": {"own_text", "own_image"},
}
FEWER = {"fedmgp": "groups=3"}  # options that make whole runs shorter
OTHERS = ("dualcoop", "positivecoop", "fedmpt", "fedapt")
CLIENTS = 2


@pytest.fixture
def embedded_run(small_run: Make) -> Make:
    """Runs of a second or two on the embedded backbone."""

    def make(**overrides: Any) -> RunConfig:
        small: dict[str, Any] = {"pretrained": "embedded", "partition": "iid", "shots": 2}
        return small_run(**(small | {"local_epochs": 1, "attack_steps": 1} | overrides))

    return make


@pytest.fixture
def scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few small pictures with several labels each in place of the embedded scenes."""
    monkeypatch.setattr(emojiscenes, "load", lambda *_: small_dataset())


def sent_tensors(config: RunConfig, **options: Any) -> tuple[set[str], list[dict[str, Any]]]:
    """The names of all arrays in any message, and what each client's state keeps."""
    grid = run_federation(config, CLIENTS, **options)
    messages = [m for m in (*grid.sent, *grid.replies) if m.has_content()]
    records = [r for m in messages for r in m.content.values() if isinstance(r, ArrayRecord)]
    kept = [
        context.state.array_records["kept-tensors"].to_torch_state_dict()
        for context in grid.contexts.values()
        if "kept-tensors" in context.state.array_records
    ]
    return {name for record in records for name in record}, kept


@pytest.mark.parametrize("name", [*KEPT, *OTHERS])
def test_two_rounds(embedded_run: Make, name: str) -> None:
    config = embedded_run(method=name)
    sent, kept = sent_tensors(config)
    own = KEPT.get(name, set())
    assert sent
    assert not sent & own
    assert set(final_tensors(config)) == sent
    assert [set(tensors) for tensors in kept] == [own] * CLIENTS * bool(own)
    assert all(math.isfinite(value) for *_, value in metric_rows(config))


@pytest.mark.parametrize("name", KEPT)
def test_what_clients_keep_is_their_own_and_outlives_processes(
    embedded_run: Make, name: str
) -> None:
    few = FEWER.get(name, "")
    config = embedded_run(method=name, method_options=few, run_name="whole")
    _, kept = sent_tensors(config)
    for tensor in KEPT[name]:
        assert not torch.equal(kept[0][tensor], kept[1][tensor])
    again = config.with_values(run_name="again")
    _, found = sent_tensors(again, fresh_processes=True)
    for one, other in zip(kept, found, strict=True):
        assert all(torch.equal(value, other[tensor]) for tensor, value in one.items())
    expected = final_tensors(config)
    assert all(torch.equal(t, expected[n]) for n, t in final_tensors(again).items())


@pytest.mark.parametrize("name", ["dualcoop", "positivecoop", "fedmpt", "fedotp", "fedmgp"])
def test_two_rounds_of_images_with_several_labels(
    embedded_run: Make, scenes: None, name: str
) -> None:
    scene = {"dataset": "emojiscenes", "setting": "multi-label", "data_dir": "", "shots": 0}
    few = FEWER.get(name, "")
    config = embedded_run(method=name, method_options=few, learning_rate=0.02, **scene)
    run_federation(config, CLIENTS)
    last = {m: v for n, s, m, v in metric_rows(config) if (n, s) == (2, "all")}
    assert 0 < last["map"] <= 1


def test_the_log_says_what_is_measured_with_an_untrained_rest(
    embedded_run: Make, caplog: pytest.LogCaptureFixture
) -> None:
    few = {"fraction_train": 0.5, "rounds": 1}
    config = embedded_run(method="fedotp", fraction_evaluate=1.0, **few)
    with caplog.at_level("WARNING"):
        run_federation(config, CLIENTS)
    said = [record.getMessage() for record in caplog.records]
    assert (
        "clients keep own.context of method 'fedotp' to themselves, so that all but clients test "
        "what they began as, and so are clients measured that have not trained yet" in said
    )
    untrained = [words for words in said if "has not trained yet: it is measured with" in words]
    assert len(untrained) == 1


def test_a_saved_run_opens_without_what_clients_kept(embedded_run: Make) -> None:
    config = embedded_run(method="fedpgp", rounds=1)
    run_federation(config, CLIENTS)
    saved = load_saved_run(run_folder(config))
    tensors, start = saved.prompting.prompt_tensors(), final_tensors(config)
    assert torch.equal(tensors["context"], start["context"])
    assert set(tensors) == {"context", "left", "right"}
