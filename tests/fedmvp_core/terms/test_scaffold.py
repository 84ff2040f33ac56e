"""SCAFFOLD against the paper's Algorithm 1, written out with plain formulae."""

from collections.abc import Callable

import pytest
import torch
from plain_head import PlainHead
from prepared import NAMES, prepared
from torch import Tensor

from fedmvp_core.aggregation import weighted_mean
from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.local.model import LocalRound
from fedmvp_core.local.shard import PreparedShard
from fedmvp_core.methods import find_method
from fedmvp_core.terms import Finished, configured_terms
from fedmvp_core.terms.scaffold import ScaffoldOptions, control_variates, finish
from fedmvp_core.training import TrainingResult, learning_rate, train_locally

Make = Callable[..., RunConfig]
Tensors = dict[str, Tensor]


def drawn(like: Tensors, seed: int, size: float = 0.1) -> Tensors:
    draw = torch.Generator().manual_seed(seed)
    return {name: size * torch.randn(value.shape, generator=draw) for name, value in like.items()}


def one_round(
    backbone: Backbone,
    config: RunConfig,
    shard: PreparedShard,
    received: Tensors | None = None,
    variates: tuple[Tensors, Tensors] | None = None,
    number: int = 1,
) -> tuple[Tensors, TrainingResult]:
    """Prompt tensors after a client's round; variates: c and c_i, None: without the term."""
    method = find_method(config)
    prompting = method.build_prompting(backbone, NAMES)
    prompting.load_prompt_tensors(received or {})
    terms, exchanged, kept = configured_terms([]), {}, {}
    if variates is not None:
        terms = configured_terms([("scaffold", "")])
        exchanged, kept = {"scaffold": variates[0]}, {"scaffold": variates[1]}
    this_round = LocalRound(
        number, received=prompting.prompt_tensors(), exchanged=exchanged, kept=kept
    )
    result = train_locally(backbone, prompting, method, shard, config, this_round, terms)
    return prompting.prompt_tensors(), result


def test_variates_begin_at_zero() -> None:
    found = control_variates({"a": torch.ones(2, 3), "b": torch.ones(1)})
    assert {name: value.tolist() for name, value in found.items()} == {
        "a": [[0.0] * 3] * 2,
        "b": [0.0],
    }


@pytest.mark.parametrize("size", [0.0, 0.1])
def test_equal_variates_train_as_without_the_term_bit_for_bit(
    tiny_backbone: Backbone, default_config: Make, size: float
) -> None:
    config, shard = default_config(batch_size=3), prepared(tiny_backbone, 7)
    plain, _ = one_round(tiny_backbone, config, shard)
    variates = drawn(plain, 1, size)
    found, result = one_round(tiny_backbone, config, shard, variates=(variates, variates))
    assert all(torch.equal(value, plain[name]) for name, value in found.items())
    assert result.steps["scaffold"] == [0.0] * 6
    # And where the cohort is this client alone, the server's next variate is the client's, exactly.
    lora = {name for name in plain if name.startswith("lora.")}
    for name in plain:
        sent, kept = result.exchanged[f"term/scaffold/{name}"], result.kept["scaffold"][name]
        assert torch.equal(sent, kept), name
        assert torch.equal(kept, variates[name]) == (name in lora), name


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_the_end_of_a_round_by_the_formula(share: float) -> None:
    shapes = {"a": torch.zeros(4, 3), "b": torch.zeros(5), "frozen": torch.zeros(2)}
    gradients, of_server, own = (drawn(shapes, seed, 1.0) for seed in (1, 2, 3))
    del gradients["frozen"]
    gradients["personal"] = torch.ones(2)  # trained, but it does not travel
    sent, kept = finish(ScaffoldOptions(share), Finished(gradients, of_server, own))
    assert sent.keys() == kept.keys() == shapes.keys()
    for name in ("a", "b"):
        g, c, c_i = (tensors[name].double() for tensors in (gradients, of_server, own))
        mine = g - c + c_i
        torch.testing.assert_close(kept[name].double(), mine, rtol=0, atol=1e-6)
        torch.testing.assert_close(sent[name].double(), c + share * (mine - c_i), rtol=0, atol=1e-6)
    assert torch.equal(sent["frozen"], of_server["frozen"])
    assert torch.equal(kept["frozen"], own["frozen"])
    assert torch.equal(of_server["a"], drawn(shapes, 2, 1.0)["a"]), "nothing is changed in place"


# --- Algorithm 1 of the paper, option II: two clients, two rounds, SGD alone


def algorithm_1(
    clients: list[PlainHead], shape: torch.Size, rates: list[float], steps: int
) -> list[tuple[Tensor, Tensor, list[Tensor]]]:
    """x, c and every c_i after each round; all clients take part, the server's step size is 1."""
    x = torch.zeros(shape, dtype=torch.float64)
    c, own = torch.zeros_like(x), [torch.zeros_like(x) for _ in clients]
    ends = []
    for rate in rates:
        models, variates = [], []
        for client, c_i in zip(clients, own, strict=True):
            y = x.clone()
            for _ in range(steps):
                y = y - rate * (client.gradient(y) - c_i + c)
            models.append(y)
            variates.append(c_i - c + (x - y) / (steps * rate))
        c = c + sum(new - old for new, old in zip(variates, own, strict=True)) / len(clients)
        x, own = torch.stack(models).mean(dim=0), variates
        ends.append((x, c, own))
    return ends


def test_two_rounds_of_two_clients_are_those_of_the_paper(
    tiny_backbone: Backbone, default_config: Make
) -> None:
    steps, rounds = 3, 2
    config = default_config(
        method="paft", objective="cross-entropy", momentum=0.0, weight_decay=0.0,
        local_epochs=steps, batch_size=100, learning_rate=2.0, rounds=4,
    )  # fmt: skip
    shards = [prepared(tiny_backbone, 7, 0, seed=1), prepared(tiny_backbone, 4, 1, seed=2)]
    rates = [learning_rate(config.training, 4, number) for number in (1, 2)]
    plain = [PlainHead(tiny_backbone, shard) for shard in shards]
    shape = torch.Size((len(NAMES), tiny_backbone.embed_dim))
    expected = algorithm_1(plain, shape, rates, steps)

    prompts = {"offsets": torch.zeros(shape)}
    of_server = control_variates(prompts)
    own = [control_variates(prompts) for _ in shards]
    for number in range(1, rounds + 1):
        replies = []
        for client, shard in enumerate(shards):
            variates = of_server, own[client]
            after, result = one_round(tiny_backbone, config, shard, prompts, variates, number)
            replies.append((after | result.exchanged, 1.0))
            own[client] = result.kept["scaffold"]
        averaged = weighted_mean(replies)
        prompts = {"offsets": averaged["offsets"]}
        of_server = {"offsets": averaged["term/scaffold/offsets"]}
        x, c, variates_by_hand = expected[number - 1]
        close = {"rtol": 1e-3, "atol": 1e-5 * float(x.abs().max())}
        torch.testing.assert_close(prompts["offsets"].double(), x, **close)
        torch.testing.assert_close(of_server["offsets"].double(), c, rtol=1e-3, atol=1e-6)
        for found, by_hand in zip(own, variates_by_hand, strict=True):
            torch.testing.assert_close(found["offsets"].double(), by_hand, rtol=1e-3, atol=1e-6)
    # The correction is not nothing: without it the second round ends elsewhere.
    assert (own[0]["offsets"] - own[1]["offsets"]).abs().max() > 1e-3
