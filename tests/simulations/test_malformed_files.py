"""Whatever stands in a run file or a suite: it is read, or refused with a sentence."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from simulations.runner.named_runs import load_named_run, resolve_config
from simulations.suite import Suite, load_suite

VALUES = st.one_of(
    st.sampled_from(["3", "-1", "nan", "inf", "true", '"x"', '""', "1979-05-27", "9" * 30]),
    st.sampled_from(["[]", "[1]", '["a"]', "[[1]]", "{}", "{a = 1}", "{rounds = 2}", "{a = [1]}"]),
    st.just('{a = {clean = "x"}}'),
)
KEYS = ("description", "supernodes", "config", "seeds", "runs", "grid", "splits", "published")
OTHER_KEYS = ("mean-over", "ceilings", "extends", "source", "rounds", "learning-rate", "odd")
NAMES = st.sampled_from([*KEYS, *OTHER_KEYS])
LINES = st.builds("{} = {}".format, NAMES, VALUES)
HEADS = st.sampled_from(
    ["[runs.a]", "[runs.a.config]", "[config]", "[grid]", "[published.a]", "[[runs]]", "[x]", "="]
)
# Whole words now and then, so that some files are nearly right.
FILES = st.lists(st.one_of(LINES, HEADS), max_size=8).map("\n".join) | st.text(max_size=60)


def read(text: str, load: Callable[[str], object]) -> object | str:
    """What is loaded from such a file, or why it is refused; other errors are let through."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "odd.toml"
        path.write_text(text, encoding="utf-8")
        try:
            return load(str(path))
        except ConfigError as error:
            return str(error)


@settings(max_examples=150)
@given(FILES)
def test_run_files(text: str) -> None:
    found = read(text, lambda path: resolve_config(load_named_run(path), {}))
    assert isinstance(found, RunConfig) or (isinstance(found, str) and found)


@settings(max_examples=300)
@given(FILES)
def test_suites(text: str) -> None:
    for content in (text, f"[runs.a]\n{text}"):
        found = read(content, load_suite)
        assert found.runs if isinstance(found, Suite) else found
