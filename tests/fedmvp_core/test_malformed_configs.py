"""Whatever stands in a configuration: it is taken as it is, or refused with a sentence."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_configs import defaults

from fedmvp_core.config import RunConfig, parse_config
from fedmvp_core.errors import ConfigError

KEYS = sorted(defaults())
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=30),
    st.binary(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from(
        ["nan", "4/0", "1e400/255", "none", "pgd", "a,b", ",", "\x00", "../x", "-1/255"]
    ),
)


def parsed(mapping: dict[str, Any]) -> tuple[RunConfig | None, str]:
    """The configuration, or why it is refused; any other error than that is let through."""
    try:
        return parse_config(mapping), ""
    except ConfigError as error:
        return None, str(error)


@settings(max_examples=150)
@given(st.sampled_from(KEYS), VALUES)
def test_one_malformed_value(key: str, value: Any) -> None:
    config, refused = parsed(defaults() | {key: value})
    if config is None:
        assert len(refused) > 10
        return
    kept = config.as_mapping()[key]
    # What is taken is what was written, but for `3` as 3.0, false as 'false', and blanks.
    assert type(kept) is type(defaults()[key])
    if isinstance(value, str):
        assert str(kept).split() == value.split() or kept == value.replace(" ", "")
    else:
        assert not (isinstance(kept, float) and math.isnan(kept))
        assert kept == value or str(value).lower() == kept


@settings(max_examples=60)
@given(st.dictionaries(st.one_of(st.text(max_size=10), st.sampled_from(KEYS)), VALUES, min_size=2))
def test_several_malformed_values(changed: dict[str, Any]) -> None:
    config, refused = parsed(defaults() | changed)
    assert refused if config is None else changed.keys() <= defaults().keys()


@settings(max_examples=30)
@given(st.sets(st.sampled_from(KEYS), min_size=1))
def test_missing_keys_are_named(missing: set[str]) -> None:
    with pytest.raises(ConfigError, match="lacks the keys") as caught:
        parse_config({key: value for key, value in defaults().items() if key not in missing})
    assert all(key in str(caught.value) for key in missing)
