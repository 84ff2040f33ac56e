"""The worst of several attacks, image by image, and the area under a sweep's curve."""

import pytest
import torch

from fedmvp_core.metrics.measures import correct
from simulations.attack.curve import curves, write_curves
from simulations.attack.names import WORST_CASE, AttackName
from simulations.attack.run import TUNED, ZERO_SHOT, AttackRow
from simulations.attack.worst_case import worst_probabilities


def test_the_worst_case_is_lower_than_each_attack_alone():
    labels = torch.tensor([0, 1, 2])
    right, wrong = torch.eye(3), torch.eye(3).roll(1, 1)
    first = torch.stack([wrong[0], right[1], right[2]])
    second = torch.stack([right[0], wrong[1], right[2]])
    worst = worst_probabilities([first, second], labels)
    assert correct(worst, labels).tolist() == [False, False, True]
    torch.testing.assert_close(worst, torch.stack([wrong[0], wrong[1], right[2]]))


def test_of_two_wrong_answers_the_more_certain_one_counts():
    unsure, sure = torch.tensor([[0.4, 0.6]]), torch.tensor([[0.1, 0.9]])
    for order in ([unsure, sure], [sure, unsure]):
        assert torch.equal(worst_probabilities(order, torch.tensor([0])), sure)


def test_of_several_labels_the_answer_with_most_wrong_counts():
    labels = torch.tensor([[1, 0, -1], [1, 1, 0]])
    first = torch.tensor([[0.9, 0.99, 0.0], [0.4, 0.4, 0.1]])
    second = torch.tensor([[0.4, 0.6, 0.9], [0.0, 0.9, 0.1]])
    expected = torch.stack([second[0], first[1]])
    assert torch.equal(worst_probabilities([first, second], labels), expected)


def row(epsilon: str, left: float, attack: str = "pgd", models=(ZERO_SHOT, TUNED)) -> AttackRow:
    name = AttackName(attack, 10, epsilon)
    return AttackRow("base", name, 10, dict.fromkeys(models, 0.8), dict.fromkeys(models, left))


def test_the_area_is_by_trapezoids_from_the_clean_images_on():
    (curve,) = curves([row("4/255", 0.2), row("1/255", 0.6), row("2/255", 0.4)])
    assert curve.epsilons == ("0", "1/255", "2/255", "4/255")
    assert curve.left[TUNED] == (0.8, 0.6, 0.4, 0.2)
    assert curve.area(TUNED) == pytest.approx((0.7 * 1 + 0.5 * 1 + 0.3 * 2) / 4)


def test_an_epsilon_of_0_and_one_written_twice_count_once():
    rows = [row("0", 0.8), row("4/255", 0.2), row("8/510", 0.2)]
    (curve,) = curves(rows)
    assert curve.epsilons == ("0", "4/255")
    assert curve.area(ZERO_SHOT) == pytest.approx(0.5)


@pytest.mark.parametrize("rows", [[row("4/255", 0.2)], [row("0", 0.8)], []])
def test_one_radius_makes_no_curve(rows):
    assert curves(rows) == []


def test_curves_of_each_attack_are_written_and_drawn(tmp_path):
    rows = [
        row(epsilon, left, attack, (TUNED,))
        for attack in ("pgd", WORST_CASE)
        for epsilon, left in (("1/255", 0.6), ("4/255", 0.2))
    ]
    found = curves(rows)
    table, picture = write_curves(tmp_path / "deep.name", found)
    header, first, second = table.read_text().splitlines()
    assert header == "split,attack,epsilons,zero_shot_area,tuned_area"
    assert first.startswith("base,pgd-10,0 1/255 4/255,,0.4")
    assert second.startswith("base,worst-case,")
    assert picture.name == "deep.name-curve.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert found[0].area(ZERO_SHOT) is None
