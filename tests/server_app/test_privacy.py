"""Private runs: what is noised, what is spent, and where the budget ends them."""

import json
import logging
from collections.abc import Callable

import pytest
import torch
from federation_harness import final_tensors, metric_rows, run_federation, run_folder
from safetensors.torch import load_file
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.json_logs import logger
from fedmvp_core.privacy import epsilon_spent
from fedmvp_core.prompting import FULL
from fedmvp_core.prompting.promptformer import LORA, PromptFormer
from server_app.aggregation import ConfiguredAggregation, Update
from server_app.privacy import with_central_privacy, within_budget

CLIENTS = 3


@pytest.fixture
def private_run(small_run: Callable[..., RunConfig]) -> Callable[..., RunConfig]:
    """Seeded noise, and LoRA for nobody."""

    def make(**overrides: object) -> RunConfig:
        return small_run(**({"dp_noise": "seeded", "method.lora-threshold": 0.0} | overrides))

    return make


def changed_in(config: RunConfig, round_number: int) -> dict[str, Tensor]:
    """What a round has added to each tensor, in float64."""
    folder = run_folder(config) / "checkpoints"
    after, before = (
        load_file(folder / f"round-{number:04d}.safetensors")
        for number in (round_number, round_number - 1)
    )
    return {name: after[name].double() - before[name].double() for name in after}


def sent_updates(config: RunConfig, clients: int = CLIENTS) -> list[Tensor]:
    """What each client's first reply has changed, in one vector each."""
    replies = run_federation(config, clients).replies
    start = load_file(run_folder(config) / "checkpoints" / "round-0000.safetensors")
    first = [reply for reply in replies if protocol.PROMPTS in reply.content][:clients]
    sent = [reply.content.array_records[protocol.PROMPTS].to_torch_state_dict() for reply in first]
    return [
        torch.cat([(value.double() - start[name].double()).flatten() for name, value in r.items()])
        for r in sent
    ]


def sent_ever(module: PromptFormer) -> list[str]:
    return [*module.phase_tensors(FULL), *module.phase_tensors(LORA)]


def aggregated(config: RunConfig, values: list[float], phase: str = FULL) -> dict[str, Tensor]:
    module = PromptFormer(8, 6, heads=2, lora_rank=2)
    current = {name: torch.zeros_like(value) for name, value in module.prompt_tensors().items()}
    rule = ConfiguredAggregation(config).rule()
    aggregate = with_central_privacy(rule, config, sent_ever(module), cohort=4)
    updates = [
        Update(i, {n: torch.full_like(current[n], value) for n in module.phase_tensors(phase)}, 9)
        for i, value in enumerate(values)
    ]
    return aggregate(updates, current)


# --- central


def test_the_mean_of_a_round_is_clipped_and_noised(private_run: Callable[..., RunConfig]) -> None:
    config = private_run(privacy="central", clipping_norm=1e-3, noise_multiplier=0.5, rounds=1)
    assert all(update.norm() > 1e-3 for update in sent_updates(config)), "something to clip"
    changes = changed_in(config, 1)
    lora = [value for name, value in changes.items() if "lora" in name]
    assert lora
    assert not any(value.any() for value in lora), "nobody may send it in this run"
    noise = torch.cat([value.flatten() for name, value in changes.items() if "lora" not in name])
    # Clipped updates are as nothing beside the noise on so many numbers.
    assert noise.std().item() == pytest.approx(0.5 * 1e-3 / CLIENTS, rel=0.02)


def test_without_privacy_it_is_the_strategy_itself(
    default_config: Callable[..., RunConfig],
) -> None:
    config = default_config()
    rule = ConfiguredAggregation(config).rule()
    module = PromptFormer(8, 6, heads=2, lora_rank=2)
    assert with_central_privacy(rule, config, sent_ever(module), 4) is rule


@pytest.mark.parametrize("phase", [FULL, LORA])
def test_which_tensors_change_does_not_tell_who_is_in_which_phase(
    default_config: Callable[..., RunConfig], phase: str
) -> None:
    config = default_config(privacy="central", dp_noise="seeded", **{"method.lora-threshold": 0.5})
    module = PromptFormer(8, 6, heads=2, lora_rank=2)
    changed = aggregated(config, [1.0, 2.0], phase)
    assert set(changed) == set(module.phase_tensors(FULL)) | set(module.phase_tensors(LORA))
    assert all((value != 0).any() for value in changed.values())


def test_seeded_noise_is_repeated_and_new_in_every_round(
    private_run: Callable[..., RunConfig],
) -> None:
    config = private_run(privacy="central", rounds=2)
    run_federation(config, CLIENTS)
    first, second = (
        torch.cat([value.flatten() for value in changed_in(config, number).values()])
        for number in (1, 2)
    )
    tensors = final_tensors(config)
    run_federation(config, CLIENTS, order=lambda messages: messages[::-1])
    assert all(torch.equal(value, tensors[name]) for name, value in final_tensors(config).items())
    correlation = torch.corrcoef(torch.stack([first, second]))[0, 1]
    assert abs(float(correlation)) < 0.05, "the noise of two rounds has nothing in common"


def test_system_noise_is_never_repeated(default_config: Callable[..., RunConfig]) -> None:
    config = default_config(privacy="central")
    one, other = aggregated(config, [1.0]), aggregated(config, [1.0])
    assert not any(torch.equal(value, other[name]) for name, value in one.items())


# --- local


def test_what_each_client_sends_is_noised(private_run: Callable[..., RunConfig]) -> None:
    config = private_run(
        privacy="local", clipping_norm=0.01, noise_multiplier=0.5, share_metrics=False, rounds=1
    )
    updates = sent_updates(config)
    assert len(updates) == CLIENTS
    for update in updates:
        assert update.std().item() == pytest.approx(0.5 * 2 * 0.01, rel=0.02)
    noises = torch.corrcoef(torch.stack(updates)) - torch.eye(CLIENTS, dtype=torch.float64)
    assert noises.abs().max() < 0.05, "every client draws its own"


def test_local_privacy_in_the_lora_phase(private_run: Callable[..., RunConfig]) -> None:
    """A client then sends a part of the tensors, which Flower's mod refuses."""
    config = private_run(
        privacy="local", clipping_norm=0.01, rounds=2, **{"method.lora-threshold": 1e9}
    )
    grid = run_federation(config, CLIENTS)
    replies = [r.content.array_records[protocol.PROMPTS] for r in grid.replies[-CLIENTS:]]
    assert all("lora" in name for record in replies for name in record)
    status = json.loads((run_folder(config) / "status.json").read_text(encoding="utf-8"))
    assert status["rounds-completed"] == 2


# --- what is spent


@pytest.mark.parametrize("privacy", ["central", "local"])
def test_the_epsilon_spent_is_recorded_every_round(
    private_run: Callable[..., RunConfig], privacy: str
) -> None:
    config = private_run(privacy=privacy, noise_multiplier=2.0, rounds=2)
    run_federation(config, CLIENTS)
    rows = {r: value for r, split, metric, value in metric_rows(config) if metric == "dp-epsilon"}
    assert rows == {r: epsilon_spent(2.0, r, 1e-5) for r in (1, 2)}
    assert 0 < rows[1] < rows[2]


def test_a_run_without_privacy_claims_no_epsilon(small_run: Callable[..., RunConfig]) -> None:
    config = small_run(rounds=1)
    run_federation(config, CLIENTS)
    assert not [row for row in metric_rows(config) if row[2] == "dp-epsilon"]


def test_the_budget_ends_a_run_with_its_tests(
    private_run: Callable[..., RunConfig], caplog: pytest.LogCaptureFixture
) -> None:
    limit = epsilon_spent(1.0, 2, 1e-5)
    config = private_run(privacy="central", rounds=5, max_dp_epsilon=limit + 0.01)
    logger.addHandler(caplog.handler)
    try:
        run_federation(config, CLIENTS)
    finally:
        logger.removeHandler(caplog.handler)
    status = json.loads((run_folder(config) / "status.json").read_text(encoding="utf-8"))
    assert (status["status"], status["rounds-completed"], status["rounds"]) == ("completed", 2, 5)
    assert not (run_folder(config) / "checkpoints" / "round-0003.safetensors").exists()
    assert "ends training after round 2 of 5" in caplog.text
    rows = metric_rows(config)
    assert max(value for _, _, metric, value in rows if metric == "dp-epsilon") <= limit
    assert (2, "base", "accuracy") in {row[:3] for row in rows}, "the last prompts are tested"


def test_a_budget_below_one_round_stops_the_run_at_once(
    default_config: Callable[..., RunConfig],
) -> None:
    config = default_config(privacy="central", max_dp_epsilon=0.5)
    with pytest.raises(ConfigError, match=r"one round with noise-multiplier 1 spends 4\.7"):
        within_budget(config)


def test_seeded_noise_is_said_to_protect_nobody(
    default_config: Callable[..., RunConfig], caplog: pytest.LogCaptureFixture
) -> None:
    logger.addHandler(caplog.handler)
    caplog.set_level(logging.INFO, logger.name)
    try:
        within_budget(default_config(privacy="local", dp_noise="seeded"))
    finally:
        logger.removeHandler(caplog.handler)
    assert "dp-noise is seeded and protects nobody" in caplog.text
    assert "epsilon counts the prompt tensors alone" in caplog.text
