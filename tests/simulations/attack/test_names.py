import pytest

from fedmvp_core.registry import ATTACKS, names_in
from server_app.evaluation.robust import ROBUST, attack_label
from simulations.attack.names import ATTACK_NAMES, AttackName, attack_of_metric


def test_every_attack_is_described():
    assert sorted(ATTACK_NAMES) == list(names_in(ATTACKS))


@pytest.mark.parametrize("attack", ["pgd", "apgd-ce", "mi-fgsm", "autoattack"])
@pytest.mark.parametrize("epsilon", ["4/255", "0.0157"])
def test_names_are_read_back_from_what_the_server_writes(default_config, attack, epsilon):
    config = default_config(robust_attack=attack, robust_steps=7, robust_epsilon=epsilon)
    name = AttackName(attack, 7, epsilon)
    for headline in ("accuracy", "map"):
        metric = ROBUST + headline + attack_label(config)
        assert attack_of_metric(metric) == name
        assert attack_of_metric("zero-shot-" + metric) == name


@pytest.mark.parametrize(
    "metric", ["accuracy", "attacked-alignment[pgd-10 eps=4/255]", "alignment"]
)
def test_other_metrics_name_no_attack(metric):
    assert attack_of_metric(metric) is None


@pytest.mark.parametrize(
    ("name", "spoken", "short"),
    [
        (AttackName("pgd", 10, "4/255"), "PGD, 10 steps, ε = 4/255", "pgd-10"),
        (AttackName("pgd", 1, "4/255"), "PGD, 1 step, ε = 4/255", "pgd-1"),
        (AttackName("fgsm", 10, "1/255"), "FGSM, 1 step, ε = 1/255", "fgsm"),
        (AttackName("square", 1000, "8/255"), "Square, 1,000 queries, ε = 8/255", "square-1000"),
        (AttackName("autoattack", 10, "0.1"), "AutoAttack, standard budget, ε = 0.1", "autoattack"),
    ],
)
def test_how_an_attack_is_called(name, spoken, short):
    assert (name.spoken, name.short) == (spoken, short)


@pytest.mark.parametrize(
    ("epsilon", "times"), [("4/255", 255 / 8), ("0.5", 1), ("0", 1), ("nonsense", 1)]
)
def test_epsilon_is_enlarged_to_half_of_the_contrast(epsilon, times):
    assert AttackName("pgd", 1, epsilon).magnification == pytest.approx(times)
