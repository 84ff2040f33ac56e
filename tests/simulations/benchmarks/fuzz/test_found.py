"""What fuzzing found, a line each: these once raised something else, hung, or took all memory."""

import gzip
import io
import time
import tracemalloc
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from torch import nn

from simulations.benchmarks.fuzz.reader import READ, REFUSED, judged
from simulations.benchmarks.fuzz.readers import READERS

NESTED = b"[" * 100_000
NO_SPLIT = b'{"train": {"images": 3, "classes": %b}}'
EVENT = b'{"event": "round", "round": %b, "loss": %b}\n'
MOST_SECONDS, MOST_BYTES = 5, 60_000_000  # of what is read in a moment from a few kilobytes


def idx(*numbers: int, data: bytes = b"") -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in numbers) + data


def export_with(old: bytes, new: bytes) -> bytes:
    """An export with something else in its header, whose length stays right."""
    (whole,) = READERS["export"].sound()
    end = 8 + int.from_bytes(whole[:8], "little")
    header = whole[8:end].replace(old, new)
    assert header != whole[8:end]
    return len(header).to_bytes(8, "little") + header + whole[end:]


def bare_pickle_with_a_long_text() -> bytes:
    """It says that two gigabytes of text follow."""
    (whole,) = READERS["weights-bare-pickle"].sound()
    return whole.replace(b"X\x10\x00\x00\x00protocol_version", b"X\x00\x00\x00\x70protocol_version")


def script_with_a_long_text() -> bytes:
    """A TorchScript archive whose pickle says the same."""
    old, packed = io.BytesIO(), io.BytesIO()
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), old)
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(packed, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, b"\x80\x02X\x00\x00\x00\x70" if "data.pkl" in name else content)
    return packed.getvalue()


def packed_script() -> bytes:
    """A TorchScript archive with code of 110 MB, packed to little."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("a/constants.pkl", b"\x80\x02).")
        target.writestr("a/data.pkl", b"\x80\x02).")
        target.writestr("a/code/a.py", bytes(110_000_000))
    return packed.getvalue()


FOUND = {
    "config of no JSON": ("run-config", b"{"),
    "nested status": ("run-status", NESTED),
    "nested shards": ("run-shards", NESTED),
    "infinitely many images": (
        "run-shards",
        b'[{"partition-id": 0, "num-examples": 1e999, "classes": {}, "domains": {}}]',
    ),
    "shards without ids": ("run-shards", b'[{"num-examples": 1}]'),
    "events of Latin-1": ("run-progress", b"\xe9\n"),
    "nested event": ("run-progress", NESTED + b"\n"),
    "event of no round": ("run-progress", b'{"event": "round", "loss": 1}\n'),
    "round of a list": ("run-progress", EVENT % (b"[1]", b"1")),
    "loss of 400 digits": ("run-progress", EVENT % (b"1", b"9" * 400)),
    "accuracies of no object": ("run-progress", b'{"event": "evaluation", "accuracy": 3}\n'),
    "step of an infinite round": ("run-steps", b"round,split,step,metric,value\ninf,a,1,loss,1\n"),
    "classes of Latin-1": ("run-classes", b"\xe9\n"),
    "split without pictures": ("run-splits", b'{"train": {}}'),
    "split of a number": ("run-splits", b'{"train": 3}'),
    "classes of a list": ("run-splits", NO_SPLIT % b"[1]"),
    "class without a hash": ("run-splits", NO_SPLIT % b'{"ant": []}'),
    "attack of infinite steps": (
        "run-attacks",
        READERS["run-attacks"].sound()[0].replace(b",10,", b",1e999,"),
    ),
    "strategy of no JSON": ("checkpoint-strategy", b"{"),
    "strategy of no kind": ("checkpoint-strategy", b'{"a": {}}'),
    "nested strategy": ("checkpoint-strategy", NESTED),
    "nested suite": ("suite", b"a = " + NESTED),
    "nested record": ("bench-record", NESTED),
    "export of an infinite seed": ("export", export_with(b'"seed":"1"', b'"seed":"1e999"')),
    "export of pictures of no size": (
        "export",
        export_with(b'\\"image_size\\": 32', b'\\"image_size\\": [32]'),
    ),
    "bare pickle with a long text": ("weights-bare-pickle", bare_pickle_with_a_long_text()),
    "script with a long text": ("weights-script", script_with_a_long_text()),
    "packed script": ("weights-script", packed_script()),
    "more pictures than numbers count": ("idx-images", idx(0x0803, 2**31, 2**31, 4)),
    "packed labels": ("idx-labels", gzip.compress(idx(0x0801, 1, data=bytes(110_000_000)))),
    "word that begins as NaN": ("split-json", b"NaNa"),
    "label of a billion": (
        "split-json",
        b'{"train": [["a.jpg", 1000000000000, "a"]], "test": [["b.jpg", 1000000000000, "a"]]}',
    ),
    "picture at the root": ("csv-folder", b"file,split,labels\n/a.jpg,train,x\nb.jpg,test,x\n"),
    "picture with a zero byte": (
        "split-json",
        b'{"train": [["\\u0000/a.jpg", 0, "a"]], "test": [["b.jpg", 0, "a"]]}',
    ),
    "long header": ("csv-folder", b"x" * 200_000 + b",split\n"),
    "nested COCO": ("coco", NESTED),
    "picture of a number": (
        "coco",
        READERS["coco"].sound()[0].replace(b'"a.jpg"', b"0.5"),
    ),
    "picture of another kind of id": (
        "coco",
        READERS["coco"].sound()[0].replace(b'{"id": 2', b'{"id": "2"'),
    ),
    "encoding that is none": ("voc", b'<?xml version="1.0" encoding="x"?><annotation/>'),
    "encoding of several bytes": ("voc", b'<?xml version="1.0" encoding="utf-7"?><a/>'),
    "label of 5000 digits": ("pets", b"a_1 " + b"9" * 5000 + b" 1 1\n"),
    "nested answer": ("answer", NESTED + b"]"),
    "cached pixels in an archive": ("cached-pixels", b"PK\x03\x04"),
    "cached pixels of no header": ("cached-pixels", b"\x93NUMPY\x01\x00\x04\x00({'\n"),
    "nested cache": ("cached-faults", NESTED),
    "cached faults of other files": ("cached-faults", b'{"7": 3}'),
}


@pytest.mark.parametrize("what", FOUND)
@pytest.mark.filterwarnings("ignore")
def test_what_was_found_is_read_or_refused_by_name(what: str) -> None:
    name, content = FOUND[what]
    with TemporaryDirectory() as folder:
        path = READERS[name].prepare(Path(folder))
        tracemalloc.start()
        started = time.process_time()
        outcome = judged(READERS[name], path, content)
        seconds, most = time.process_time() - started, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert outcome.end in (READ, REFUSED), f"{outcome.where}: {outcome.end}"
    assert seconds < MOST_SECONDS
    assert most < MOST_BYTES
