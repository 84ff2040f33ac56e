"""What the whole path does not show: how a suite is changed, hours are made, and cells escaped."""

from types import SimpleNamespace

import pytest

from fedmvp_core.config import parse_config
from simulations.reproduce import asked
from simulations.reproduce.asked import ReproduceOptions, asked_suite, configs_of, silent_departures
from simulations.reproduce.client_round import ClientRound
from simulations.reproduce.estimate import attacked_images, evaluations, hours, run_cost
from simulations.reproduce.sections import Section, as_html, as_markdown
from simulations.reproduce.surveyed import Surveyed
from simulations.runner.project import default_config
from simulations.suite.files import load_suite, suite_names
from simulations.suite.running import SuiteOptions


def configs(name, tmp_path, **options):
    runs = SuiteOptions(tmp_path / "out", root=tmp_path)
    chosen = ReproduceOptions(name, runs, **options)
    with silent_departures():
        return configs_of(asked_suite(load_suite(name), chosen), runs)


def test_the_protocol_fills_in_what_the_suite_does_not_say(tmp_path) -> None:
    fedmvp, zero_shot = configs("fedmvp-base-to-new", tmp_path)
    assert (fedmvp.model.protocol, zero_shot.model.protocol) == ("published", "ours")
    assert "lora-init=normal" in fedmvp.model.method_options  # the paper's, not in the suite
    first = configs("fedmvp-ablation", tmp_path)[0]
    assert "alpha=0.0" in first.model.objective_options  # the suite's, not the paper's 10
    ours = configs("fedmvp-base-to-new", tmp_path, protocol="ours")[0]
    assert ours.model.protocol == "ours"


def test_other_weights_keep_a_robust_tower(tmp_path) -> None:
    plain = configs("fedmvp-base-to-new", tmp_path, backbone="tiny", pretrained="embedded")
    assert {(c.model.backbone, c.model.pretrained) for c in plain} == {("tiny", "embedded")}
    robust = configs("capt-few-shot", tmp_path, pretrained="mine.pt")
    towers = {config.model.pretrained.split("+")[1] for config in robust}
    assert towers == {f"{tmp_path}/backbone/vitb32_eps{n}.pth.tar" for n in (1, 4)}
    assert {config.model.pretrained.split("+")[0][-7:] for config in robust} == {"mine.pt"}
    whole = configs("capt-few-shot", tmp_path, pretrained="openai+mine.pt")
    assert {config.model.pretrained.split("+", 1)[1][-8:] for config in whole} == {"/mine.pt"}


def test_every_published_suite_can_be_asked(tmp_path) -> None:
    for name in suite_names():
        if load_suite(name).published:
            assert configs(name, tmp_path), name


@pytest.mark.parametrize(("gpus", "precision"), [(0, "fp32"), (1, "bf16")])
def test_bf16_is_for_gpus(tmp_path, monkeypatch, gpus, precision) -> None:
    monkeypatch.setattr(asked, "visible_gpus", lambda: gpus)
    assert configs("fedmvp-base-to-new", tmp_path)[0].model.precision == precision


def config_of(**keys):
    return parse_config({**default_config(), "robust-attack": "none", **keys})


def test_a_run_is_its_rounds_clients_and_images() -> None:
    keys = {"rounds": 10, "local-epochs": 2, "fraction-train": 0.5, "evaluate-every": 5}
    job = SimpleNamespace(config=config_of(**keys), clients=4)
    data = Surveyed("any", of_clients=(10, 20, 30, 20), tested=1000, splits={})
    measured = ClientRound(images=16, batch=8, seconds=4.0, memory=0)
    cost = run_cost(job, data, measured, per_image=0.01)
    assert cost.client_round == 20 * 2 * 0.25
    assert cost.training == pytest.approx(10.0 * 2 * 10 + 2 * 80 * 0.01)
    assert cost.evaluation == pytest.approx(3 * 1000 * 0.01)  # rounds 0, 5 and 10
    untrained = run_cost(job, data, None, per_image=0.01)
    assert (untrained.training, untrained.evaluation) == (0, pytest.approx(10.0))


def test_the_last_evaluation_is_counted_once() -> None:
    for rounds, every, times in ((10, 5, 3), (10, 4, 4), (0, 5, 1), (3, 10, 2)):
        config = config_of(rounds=rounds, **{"evaluate-every": every})
        assert evaluations(config, trains=True) == times


def test_attacks_count_all_images_twice_and_some_before() -> None:
    keys = {"robust-attack": "pgd", "robust-steps": 10, "robust-images": 50, "robust-every": 5}
    asked_of = config_of(**keys).evaluation
    assert attacked_images(asked_of, tested=200, rounds=10) == (400 + 2 * 50) * 31
    assert attacked_images(config_of().evaluation, tested=200, rounds=10) == 0


def test_hours_have_the_digits_that_say_something() -> None:
    assert (hours(36), hours(7200 * 1.25)) == ("0.010", "2.5")


def test_cells_stay_cells() -> None:
    section = Section("A", ["1 < 2"], [("x", "y"), ("a|b", "<script>\nz")], command="echo '|'")
    markdown = as_markdown("T", [section])
    assert "| a\\|b | \\<script> z |" in markdown
    assert "```bash\necho '|'\n```" in markdown
    page = as_html("T", [section])
    assert "<td>a|b</td><td>&lt;script&gt;" in page
    assert "<script" not in page
