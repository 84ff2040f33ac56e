"""Whatever a file of another's holds: it is read, or refused with a sentence that names it."""

import json
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmvp_core.errors import DataError
from simulations.benchmarks.fuzz.edits import edited
from simulations.benchmarks.fuzz.reader import READ, REFUSED, Reader, judged
from simulations.benchmarks.fuzz.readers import READERS

every_reader = pytest.mark.parametrize("name", READERS)


def ends_of(reader: Reader, content: bytes) -> str:
    """How a reading ends; a fault with its place."""
    with TemporaryDirectory() as folder:
        outcome = judged(reader, reader.prepare(Path(folder)), content)
    return f"{outcome.where}: {outcome.end}" if outcome.is_fault else outcome.end


@every_reader
def test_sound_contents_are_read(name: str) -> None:
    ends = [ends_of(READERS[name], content) for content in READERS[name].sound()]
    # The sound splits are compared with others, and said to be so.
    assert ends[0] == (REFUSED if name == "run-splits" else READ)
    assert set(ends) <= {READ, REFUSED}


@every_reader
@pytest.mark.filterwarnings("ignore")
def test_damaged_contents_are_read_or_refused_by_name(name: str) -> None:
    sound = READERS[name].sound()

    # A process for each .mat file, since some end it within SciPy.
    @settings(max_examples=3 if name == "mat" else 15, deadline=None, derandomize=True)
    @given(st.sampled_from(sound), st.integers(0, 2**32))
    def holds(content: bytes, drawn: int) -> None:
        assert ends_of(READERS[name], edited(content, random.Random(drawn))) in (READ, REFUSED)

    holds()


def test_a_reader_that_falls_over_or_names_nothing_is_noticed() -> None:
    def careless(path: Path) -> object:
        content = json.loads(path.read_bytes())
        if not content:
            raise DataError("it is empty")
        return content["a"]

    reader = Reader("a.json", lambda: [b'{"a": 1}'], careless)
    assert ends_of(reader, b'{"a": 1}') == READ
    assert "KeyError" in ends_of(reader, b'{"b": 1}')
    assert "test_readers.py" in ends_of(reader, b'{"b": 1}')
    assert "does not name the file" in ends_of(reader, b"{}")
