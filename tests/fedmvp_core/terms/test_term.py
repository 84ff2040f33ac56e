"""Client terms: how they are found, what they exchange and keep, and their part of a round."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from personal_frame import HALF, PersonalFrame
from prepared import prepared
from torch import Tensor

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.config.options import NoOptions, option
from fedmvp_core.errors import ConfigError
from fedmvp_core.exchange import prompt_part, sent_in, travelling_tensors
from fedmvp_core.local.model import LocalModel, LocalRound
from fedmvp_core.methods import find_method
from fedmvp_core.prompting import FULL
from fedmvp_core.terms import ClientTerm, ConfiguredTerm, Finished, configured_terms
from fedmvp_core.terms.term import (
    MeanGradients,
    exchanged_name,
    exchanged_tensors,
    finished_terms,
    of_terms,
)
from fedmvp_core.training import TrainingResult, train_locally

Make = Callable[..., RunConfig]


@dataclass(frozen=True)
class PullOptions:
    """How hard."""

    weight: float = option(0.5, "of the pull")


def pull(options: PullOptions, model: LocalModel) -> Tensor:
    """Pulls all trained tensors to zero."""
    return options.weight * torch.stack([w.square().sum() for w in model.trained().values()]).sum()


def note(options: PullOptions, end: Finished) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Counts rounds, and keeps the mean gradients."""
    return {"rounds": end.exchanged["rounds"] + 1}, {**end.kept, **end.gradients}


PULL = ClientTerm(
    "pull",
    "nowhere",
    pull,
    PullOptions,
    exchanged=lambda tensors: {"rounds": torch.zeros(1)},
    kept=lambda tensors: {"seen": torch.zeros(1)},
    finish=note,
)
QUIET = ClientTerm("quiet", "nowhere", lambda options, model: torch.zeros(()))
TERMS = [ConfiguredTerm(PULL, PullOptions(0.25)), ConfiguredTerm(QUIET, NoOptions())]


def test_terms_are_found_by_name_with_their_options() -> None:
    prox, scaffold = configured_terms([("fedprox", "mu=0.5"), ("scaffold", "share=0.1")])
    assert (prox.term.name, prox.options.mu) == ("fedprox", 0.5)
    assert (scaffold.term.name, scaffold.options.share) == ("scaffold", 0.1)
    assert configured_terms([("fedprox", "")])[0].options.mu == 0.01
    assert configured_terms([]) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (("fedprux", ""), "term is 'fedprux'; installed: fedprox, scaffold"),
        (("fedprox", "mu=-1"), "client term 'fedprox': option mu is -1; allowed: 0 or more"),
        (("fedprox", "nu=1"), "client term 'fedprox' has no option 'nu'; known: mu"),
        (("scaffold", "share=2"), "client term 'scaffold': option share is 2; allowed: 0 to 1"),
    ],
)
def test_a_term_that_is_not_there_or_a_bad_option_is_refused(
    text: tuple[str, str], message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        configured_terms([text])
    assert message in str(refused.value)


def test_exchanged_tensors_have_names_of_their_own_and_come_apart_again() -> None:
    assert exchanged_name(PULL, "rounds") == "term/pull/rounds"
    found = exchanged_tensors(TERMS, {"w": torch.ones(2)})
    assert list(found) == ["term/pull/rounds"]
    travelling = {"w": torch.ones(2), **found}
    assert of_terms(TERMS, travelling) == {"pull": {"rounds": torch.zeros(1)}, "quiet": {}}
    assert exchanged_tensors([], travelling) == of_terms([], travelling) == {}


def test_what_a_term_does_not_finish_comes_back_as_it_went() -> None:
    quiet = ClientTerm(
        "quiet", "", lambda options, model: torch.zeros(()), exchanged=dict, kept=dict
    )
    this_round = LocalRound(
        exchanged={"quiet": {"w": torch.ones(2)}}, kept={"quiet": {"w": torch.zeros(2)}}
    )
    sent, kept = finished_terms([ConfiguredTerm(quiet, NoOptions())], this_round, {})
    assert {name: value.tolist() for name, value in sent.items()} == {"term/quiet/w": [1, 1]}
    assert kept["quiet"]["w"].tolist() == [0, 0]


def test_mean_gradients_are_over_the_steps() -> None:
    first, second = (torch.nn.Parameter(torch.zeros(2)) for _ in range(2))
    means = MeanGradients({"first": first, "second": second})
    assert {name: value.tolist() for name, value in means.means().items()} == {
        "first": [0, 0],
        "second": [0, 0],
    }
    for gradient in ([1.0, 2.0], [3.0, 6.0]):
        first.grad = torch.tensor(gradient)
        means.add()
    second.grad = torch.tensor([4.0, 8.0])  # of the last of four steps alone
    first.grad = None
    means.add()
    second.grad = None
    means.add()
    assert means.means()["first"].tolist() == [1.0, 2.0]
    assert means.means()["second"].tolist() == [1.0, 2.0]


# --- in training


def trained(
    backbone: Backbone,
    config: RunConfig,
    terms: list[ConfiguredTerm],
    phase: str = FULL,
) -> tuple[PersonalFrame, TrainingResult]:
    """A round of a client, as it begins at the server's first message."""
    prompting = PersonalFrame(backbone.embed_dim)
    travelling = travelling_tensors(prompting, terms)
    received = prompt_part(travelling, prompting)
    this_round = LocalRound(
        phase=phase,
        received=received,
        exchanged=of_terms(terms, travelling),
        kept={term.name: term.kept(received) for term, _ in terms},
    )
    method, shard = find_method(config), prepared(backbone, 7)
    return prompting, train_locally(backbone, prompting, method, shard, config, this_round, terms)


def test_penalties_are_added_and_measured_under_their_names(
    tiny_backbone: Backbone, default_config: Make
) -> None:
    config = default_config(objective="cross-entropy", batch_size=3, local_epochs=1)
    start = PersonalFrame(tiny_backbone.embed_dim)
    squares = sum(float(p.detach().square().sum()) for p in start.parameters())
    _, plain = trained(tiny_backbone, config, [])
    _, result = trained(tiny_backbone, config, TERMS)
    assert result.steps.keys() == {"loss", "pull", "quiet"}
    assert result.steps["pull"][0] == pytest.approx(0.25 * squares, rel=1e-5)
    assert result.steps["loss"][0] == pytest.approx(
        plain.steps["loss"][0] + 0.25 * squares, rel=1e-5
    )
    assert result.steps["quiet"] == [0.0] * 3
    assert result.exchanged["term/pull/rounds"].tolist() == [1]
    assert result.kept["quiet"] == {}


def test_gradients_of_a_round_hold_the_penalties(
    tiny_backbone: Backbone, default_config: Make
) -> None:
    """With plain SGD their mean is the way that the client went, over rate and steps."""
    config = default_config(
        objective="cross-entropy", batch_size=3, momentum=0.0, weight_decay=0.0, local_epochs=2
    )
    start = PersonalFrame(tiny_backbone.embed_dim).prompt_tensors()
    prompting, result = trained(tiny_backbone, config, TERMS)
    for name, after in prompting.prompt_tensors().items():
        mean = (start[name] - after) / (6 * config.training.learning_rate)
        torch.testing.assert_close(result.kept["pull"][name], mean, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["fedprox", "scaffold"])
@pytest.mark.parametrize("phase", [FULL, HALF])
def test_personal_tensors_are_trained_but_are_no_part_of_a_term(
    tiny_backbone: Backbone, default_config: Make, name: str, phase: str
) -> None:
    """They were not received, so there is nothing to hold them to."""
    config = default_config(objective="cross-entropy", batch_size=100, local_epochs=1)
    plain, _ = trained(tiny_backbone, config, [], phase)
    terms = configured_terms([(name, "")])
    prompting, result = trained(tiny_backbone, config, terms, phase)
    assert torch.equal(prompting.own, plain.own)
    assert not torch.equal(prompting.own, PersonalFrame(tiny_backbone.embed_dim).own)
    assert not any("own" in tensor for tensor in (*result.exchanged, *result.kept[name]))
    sent = prompting.prompt_tensors() | result.exchanged
    assert set(sent_in(prompting, terms, phase)) <= set(sent)
