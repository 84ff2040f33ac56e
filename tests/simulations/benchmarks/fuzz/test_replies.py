"""The server's checks refuse what is malformed, whatever it is, and fall over nothing."""

from simulations.benchmarks.fuzz.malformed import KINDS
from simulations.benchmarks.fuzz.replies import fuzz


def test_every_malformed_reply_is_refused_with_a_reason() -> None:
    tally = fuzz(308, seed=7)
    assert tally.wrong == []
    assert tally.refused.total() == 308
    assert set(tally.made) == set(KINDS)


def test_a_reply_that_should_have_been_refused_is_noticed(monkeypatch) -> None:
    monkeypatch.setattr(
        "simulations.benchmarks.fuzz.replies.KINDS",
        {"fine": lambda round, draw: round.sound(4)},
    )
    assert fuzz(1, seed=1).wrong == ["fine 0: the replies of clients [0, 1, 2, 3, 4] count"]
