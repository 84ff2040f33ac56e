"""Headlines from the values of the splits."""

import pytest

from fedmvp_core.data.settings.summaries import harmonic_mean_of, mean_over_targets, no_headline


def test_a_harmonic_mean_needs_all_of_its_splits() -> None:
    summary = harmonic_mean_of(("seen", "unseen"))
    assert summary({"seen": 0.5, "unseen": 1.0, "more": 0.0}) == {
        "harmonic-mean": pytest.approx(2 / 3)
    }
    assert summary({"seen": 0.5, "unseen": 0.0}) == {"harmonic-mean": 0.0}
    assert summary({"unseen": 1.0}) == {}


def test_the_mean_over_targets_leaves_the_source_out() -> None:
    summary = mean_over_targets(("target-a", "target-b"))
    assert summary({"source": 1.0, "target-a": 0.25, "target-b": 0.75}) == {"target-mean": 0.5}
    assert summary({"source": 1.0}) == {}
    assert summary({"target-b": 0.75}) == {"target-mean": 0.75}


def test_some_settings_have_no_headline() -> None:
    assert no_headline({"all": 0.5}) == {}
