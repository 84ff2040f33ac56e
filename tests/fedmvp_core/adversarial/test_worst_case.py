"""What is broken stays broken, and the worst version wins."""

import pytest
import torch

from fedmvp_core.adversarial.worst_case import (
    WorstCase,
    broken,
    clean_start,
    hardest_targets,
    see_last,
    wrong_labels,
)
from fedmvp_core.errors import AttackError

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, -4.0]])
SINGLE = torch.tensor([0, 0])
MULTI = torch.tensor([[1, 0, 1], [0, 0, 1]])


def test_wrong_labels_are_counted() -> None:
    assert wrong_labels(LOGITS, SINGLE).tolist() == [0, 1]
    assert wrong_labels(LOGITS, MULTI).tolist() == [0, 3]
    assert broken(LOGITS, SINGLE).tolist() == broken(LOGITS, MULTI).tolist() == [False, True]


def grey(*levels: float) -> torch.Tensor:
    return torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 3, 2, 2).clone()


def test_the_more_harmful_image_is_kept() -> None:
    images = grey(0.1, 0.2)
    worst = WorstCase.at(images, torch.tensor([0, 0]), torch.tensor([[3.0, 0.0], [3.0, 0.0]]))
    assert worst.unfinished().tolist() == [0, 1]
    worst.see(torch.tensor([1]), grey(0.3), torch.tensor([[1.0, 2.0]]))  # breaks the second
    worst.see(torch.tensor([0, 1]), grey(0.4, 0.5), torch.tensor([[2.0, 0.0], [4.0, 0.0]]))
    assert worst.images[:, 0, 0, 0].tolist() == pytest.approx([0.4, 0.3])
    assert worst.unfinished().tolist() == [0]
    assert images[:, 0, 0, 0].tolist() == pytest.approx([0.1, 0.2])


def test_more_wrong_labels_outweigh_a_larger_margin() -> None:
    labels = torch.tensor([[1, 1, 1]])
    worst = WorstCase.at(grey(0.1), labels, torch.tensor([[-1.0, 0.1, 0.1]]))  # one wrong, sum -0.2
    worst.see(torch.tensor([0]), grey(0.2), torch.tensor([[-1.0, -1.0, 9.0]]))  # two wrong, -9
    assert worst.images[0, 0, 0, 0].item() == pytest.approx(0.2)
    assert worst.unfinished().tolist() == [0]
    worst.see(torch.tensor([0]), grey(0.3), torch.tensor([[-1.0, -1.0, -1.0]]))
    assert worst.unfinished().tolist() == []


def test_unknown_labels_are_neither_right_nor_wrong() -> None:
    labels = torch.tensor([[1, -1, 0], [-1, -1, -1]])
    assert wrong_labels(LOGITS, labels).tolist() == [1, 0]
    worst = WorstCase.at(grey(0.1, 0.2), labels, LOGITS)
    assert worst.unfinished().tolist() == [0]  # of the second image nothing is known to be lost
    worst.see(torch.tensor([0]), grey(0.3), torch.tensor([[-1.0, 9.0, 1.0]]))
    assert worst.unfinished().tolist() == []
    assert hardest_targets(LOGITS, labels, 1)[0].tolist() == [0]


def test_nan_logits_are_named() -> None:
    def nan(images: torch.Tensor) -> torch.Tensor:
        return torch.full((len(images), 2), float("nan"))

    with pytest.raises(AttackError, match="square: "):
        clean_start(nan, grey(0.1), torch.tensor([0]), "square")
    worst = WorstCase.at(grey(0.1), torch.tensor([0]), torch.tensor([[1.0, 0.0]]))
    with pytest.raises(AttackError, match="pgd: "):
        see_last(nan, worst, torch.tensor([0]), grey(0.1), "pgd")


def test_targets_are_the_nearest_classes() -> None:
    assert hardest_targets(LOGITS, SINGLE, 9).tolist() == [[2, 1], [1, 2]]
    assert hardest_targets(LOGITS, SINGLE, 1).tolist() == [[2], [1]]
    # The first's labels are 2, 1 and 0.5 from flipping; the second's are all wrong.
    assert hardest_targets(LOGITS, MULTI, 2)[0].tolist() == [2, 1]
    mixed = hardest_targets(torch.tensor([[5.0, -0.1, -3.0]]), torch.tensor([[0, 0, 0]]), 3)
    assert mixed.tolist() == [[1, 2, 0]]
