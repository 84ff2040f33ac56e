"""The contract tests: every built-in passes, and what breaks a contract is named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from flwr.serverapp.strategy import FedAvg, FedAvgM
from plugins import install
from torch import Tensor, nn
from typer.testing import CliRunner

from fedmvp_core import registry
from fedmvp_core.backbone import Backbone
from fedmvp_core.methods import Method
from fedmvp_core.methods.apt import method as apt
from fedmvp_core.objectives import Loss, Objective
from fedmvp_core.prompting import Prompting
from fedmvp_core.registry import AGGREGATIONS, METHODS, OBJECTIVES, names_in
from fedmvp_core.tasks import EncodedTask
from server_app.aggregation import Aggregation, Update
from server_app.callbacks import Callback, Run
from simulations import cli
from simulations.plugins.checking import findings, wrong_findings


@pytest.mark.parametrize("name", names_in(METHODS))
def test_every_method_keeps_the_contract(name: str) -> None:
    assert wrong_findings("method", name) == []


@pytest.mark.parametrize("name", names_in(OBJECTIVES))
def test_every_objective_keeps_the_contract(name: str) -> None:
    assert wrong_findings("objective", name) == []


@pytest.mark.parametrize("name", names_in(AGGREGATIONS))
def test_every_aggregation_keeps_the_contract(name: str) -> None:
    found = list(findings("aggregation", name))
    assert [str(finding) for finding in found if finding.wrong] == []
    assert len(found) >= 9


class _Entry:
    """An entry point that loads what a test made."""

    class dist:  # noqa: N801
        name = "of-a-test"

    def __init__(self, name: str, plugin: Any) -> None:
        self.name, self.value, self._plugin = name, f"test:{name}", plugin

    def load(self) -> Any:
        return self._plugin


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch):
    """A function that makes an object the plugin `guest` of a kind; what is wrong with it."""

    def install(kind: str, plugin: Any) -> list[str]:
        group = {"strategy": "fedmvp.strategies"}.get(kind, f"fedmvp.{kind}s")
        before = registry._entries

        def entries(asked: str) -> dict[str, Any]:
            more = {"guest": _Entry("guest", plugin)} if asked == group else {}
            return {**before(asked), **more}

        monkeypatch.setattr(registry, "_entries", entries)
        return wrong_findings(kind, "guest")

    return install


class Tokens(Prompting):
    """A sound module, of which the tests below break one thing each."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.tokens = nn.Parameter(start)

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        return backbone.encode_image(images, {0: self.tokens}, normalize=True)


class LongFeatures(Tokens):
    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        return 3 * super().image_features(backbone, images, task)


class WrongPersonal(Tokens):
    def personal_tensors(self) -> tuple[str, ...]:
        return ("nothing",)


class WrongPhase(Tokens):
    def phase_tensors(self, phase: str) -> tuple[str, ...]:
        return ("token",)


class Deaf(Tokens):
    """Its tensors change nothing."""

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        return backbone.encode_image(images, normalize=True) + 0 * self.tokens.sum()


class OfTrainedClasses(Tokens):
    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        return torch.stack(
            [task.class_features[("cat", "dog", "cow").index(n)] for n in task.task.class_names]
        )


def method_of(module: type[Tokens], draw: Any = None) -> Method:
    def build(backbone: Backbone, options: Any, words: Any) -> Prompting:
        token = backbone.class_token().repeat(2, 1)
        return module(token if draw is None else draw(token))

    return Method("guest", "a test", build, "cross-entropy")


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        (method_of(Tokens), ""),
        (object(), "it is a object; allowed: Method"),
        (replace(apt, name="other"), "its field `name` is 'other'"),
        (method_of(Tokens, lambda t: t * float("nan")), "'tokens' holds NaN"),
        (method_of(Tokens, lambda t: t.double()), "'tokens' is torch.float64"),
        (
            method_of(Tokens, lambda t: t + torch.randn(t.shape, generator=_unseeded())),
            "'tokens' differs between two modules",
        ),
        (method_of(LongFeatures), "they are 3.000 to 3.000 long"),
        (method_of(WrongPersonal), "it has no nothing"),
        (method_of(WrongPhase), "phase 'full' names token"),
        (method_of(Deaf), "none of tokens moved"),
        (method_of(OfTrainedClasses), "not in tuple"),
        (replace(method_of(Tokens), options=int), "allowed: a frozen dataclass"),
    ],
)
def test_a_method_that_breaks_the_contract(installed, method: Any, sentence: str) -> None:
    wrong = installed("method", method)
    assert (sentence in "\n".join(wrong)) if sentence else (wrong == [])


def _unseeded() -> torch.Generator:
    draw = torch.Generator()
    draw.seed()
    return draw


@dataclass(frozen=True)
class _BadDefault:
    weight: list[int] = None  # type: ignore[assignment]


def _objective(value: Any, **more: Any) -> Objective:
    def make(options: Any) -> Any:
        def loss(model: Any, batch: Any) -> Loss:
            _, logits = model.predict(batch.images)
            return value(model.classification_loss(logits, batch.labels))

        return loss

    return Objective("guest", "a test", make, **more)


@pytest.mark.parametrize(
    ("objective", "sentence"),
    [
        (_objective(lambda loss: Loss(loss, {})), ""),
        (_objective(lambda loss: Loss(loss * float("nan"), {})), "the loss of client 0 is nan"),
        (_objective(lambda loss: Loss(0 * loss, {})), "no tensor has a gradient"),
        (_objective(lambda loss: Loss(loss, {"two": loss.detach().repeat(2)})), "'two' is"),
        (_objective(lambda loss: Loss(loss, {}), attack="pgd"), "attack is 'pgd'; allowed: None"),
        (_objective(lambda loss: Loss(loss, {}), options=_BadDefault), "is a NoneType"),
    ],
)
def test_an_objective_that_breaks_the_contract(installed, objective: Any, sentence: str) -> None:
    wrong = installed("objective", objective)
    assert (sentence in "\n".join(wrong)) if sentence else (wrong == [])


def _aggregation(rule: Any) -> Aggregation:
    return Aggregation("guest", "a test", lambda options, context: rule())


def _mean(updates: Sequence[Update], current: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = {}
    for name in current:
        sent = [u.tensors[name] for u in updates if name in u.tensors]
        found[name] = torch.stack(sent).mean(dim=0)
    return found


class Momentum:
    """Forgets what it keeps."""

    def __init__(self) -> None:
        self.rounds = 0

    def __call__(self, updates: Any, current: Any) -> dict[str, Tensor]:
        self.rounds += 1
        return {name: self.rounds * value for name, value in _mean(updates, current).items()}


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (lambda: _mean, ""),
        (lambda: lambda u, c: {**_mean(u, c), "more": torch.ones(1)}, "more is no tensor of the"),
        (
            lambda: lambda u, c: {n: t[None] for n, t in _mean(u, c).items()},
            "'matrix' is (1, 2, 3)",
        ),
        (lambda: lambda u, c: {n: t.double() for n, t in _mean(u, c).items()}, "of torch.float64"),
        (lambda: lambda u, c: {n: t + torch.rand(()) for n, t in _mean(u, c).items()}, "differ"),
        (lambda: lambda u, c: dict(u[0].tensors), "which client sent which update does not matter"),
        (Momentum, "goes on with the same bits: matrix, vector, number differ"),
        (
            lambda: lambda u, c: {n: sum(x.tensors[n] for x in u) / len(u) for n in c},
            "tensors that half of the clients send are taken: KeyError",
        ),
    ],
)
def test_an_aggregation_that_breaks_the_contract(installed, rule: Any, sentence: str) -> None:
    wrong = installed("aggregation", _aggregation(rule))
    assert (sentence in "\n".join(wrong)) if sentence else (wrong == [])


class Hiding(FedAvgM):
    """Keeps its rounds where no checkpoint finds them."""

    def __init__(self) -> None:
        super().__init__()
        self.rounds: set[int] = set()

    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        self.rounds.add(server_round)
        arrays, metrics = super().aggregate_train(server_round, replies)
        assert arrays is not None
        scaled = {n: torch.from_numpy(a.numpy()) * len(self.rounds) for n, a in arrays.items()}
        return type(arrays)(scaled), metrics


class Nothing(FedAvg):
    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        return None, None


class Asking(FedAvg):
    def configure_train(self, *args: Any) -> Any:
        return []


@pytest.mark.parametrize(
    ("strategy", "sentence"),
    [
        (FedAvg, ""),
        (FedAvgM, ""),
        (int, "int is no subclass of flwr.serverapp.strategy.Strategy"),
        (Nothing, "strategy 'guest' makes nothing of 12 updates"),
        (Asking, "strategy 'guest' asks none of 12 clients"),
        (Hiding, "others are not"),
    ],
)
def test_a_strategy_that_breaks_the_contract(installed, strategy: Any, sentence: str) -> None:
    wrong = installed("strategy", strategy)
    assert (sentence in "\n".join(wrong)) if sentence else (wrong == [])


class Raising(Callback):
    def round_ended(self, event: Any) -> None:
        raise KeyError("lr")


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        (lambda run: Callback(), ""),
        (lambda run: 3, "makes a int; allowed: a Callback"),
        (lambda run: Raising(), "round_ended does not raise: KeyError: 'lr'"),
    ],
)
def test_a_callback_that_breaks_the_contract(installed, factory: Any, sentence: str) -> None:
    def typed(run: Run) -> Any:
        return factory(run)

    wrong = installed("callback", typed)
    assert (sentence in "\n".join(wrong)) if sentence else (wrong == [])


def test_the_command_prints_a_line_for_each_check_and_returns_1_for_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = CliRunner().invoke(cli.app, ["check", "aggregation", "fedavg"])
    assert good.exit_code == 0
    assert all(line.startswith("ok: ") for line in good.output.splitlines())
    install(monkeypatch, METHODS, "empty", object())
    bad = CliRunner().invoke(cli.app, ["check", "method", "empty"])
    assert bad.exit_code == 1
    assert "wrong: method 'empty'" in bad.output
    missing = CliRunner().invoke(cli.app, ["check", "method", "no-such"])
    assert missing.exit_code == 2
    assert missing.output.startswith("error: method is 'no-such'; installed: adv-maple")


def test_options_can_be_tried() -> None:
    words = ["check", "method", "apt", "method.context-length=2", "method.attack-prompt=constant"]
    assert CliRunner().invoke(cli.app, words).exit_code == 0
    words = ["check", "method", "apt", "method.context-size=2"]
    result = CliRunner().invoke(cli.app, words)
    assert result.exit_code == 2
    assert "method 'apt' has no option 'context-size'" in result.output
