"""Edits of sound bytes that lead further into a reader than flipped bits do.

A word, number or bracket of a text is swapped for an odd one; numbers of a binary file become
extreme; parts are cut out, repeated or put elsewhere. The header of a safetensors file keeps its
length, and a member of a zip archive its checksum.
"""

import io
import random
import re
import zipfile

_TOKEN = re.compile(rb'"[^"\n]{0,80}"|-?\d+(?:\.\d+)?|[A-Za-z_][\w./-]*')
_BRACKET = re.compile(rb"\[[^\[\]]*\]|\{[^{}]*\}|<[^<>]*>")
_ODD = (
    *(b"", b"null", b"true", b"NaN", b"1e999", b"-1", b"0", b"0.5", b"1e3", b"9" * 25, b"9" * 5000),
    *(
        b"[]",
        b"{}",
        b"[1]",
        b'["a"]',
        b'{"a": 1}',
        b'""',
        b'"a"',
        b'"\\u0000"',
        b'"\\ud800"',
        b'"1"',
    ),
    *(b"[" * 3000, b'{"a":' * 3000, b"\xff", b"\x00", b"\n", b",", b";", b'"', b"../x", b"x" * 300),
    *(b"-" + b"9" * 400, b"inf", b"-inf", b"=", b"\r", b"\xe9", b"1000000000000", b"2147483648"),
)
_WIDTHS = (1, 2, 4, 8)
_MOST_EDITS = 3


def edited(data: bytes, draw: random.Random) -> bytes:
    """The bytes after one to three edits."""
    for _ in range(draw.randint(1, _MOST_EDITS)):
        data = _in_container(data, draw)
    return data


def _in_container(data: bytes, draw: random.Random) -> bytes:
    length = int.from_bytes(data[:8], "little")
    if data[8:9] == b"{" and length <= len(data) and draw.random() < 0.9:
        header = _edit(data[8 : 8 + length], draw)
        return len(header).to_bytes(8, "little") + header + data[8 + length :]
    if data.startswith(b"PK") and draw.random() < 0.9:
        return _with_edited_member(data, draw)
    return _edit(data, draw)


def _with_edited_member(data: bytes, draw: random.Random) -> bytes:
    """The archive with one of its members edited, or the bytes edited where it is none."""
    packed = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(packed, "w") as new:
            members = {name: old.read(name) for name in old.namelist()}
            chosen = draw.choice([*members])
            for name, content in members.items():
                new.writestr(name, _edit(content, draw) if name == chosen else content)
    except Exception:  # an archive that was edited before may raise anything
        return _edit(data, draw)
    return packed.getvalue()


def _edit(data: bytes, draw: random.Random) -> bytes:
    kind = draw.random()
    if kind < 0.5:
        found = list((_TOKEN if kind < 0.35 else _BRACKET).finditer(data))
        if found:
            begin, end = draw.choice(found).span()
            return data[:begin] + draw.choice(_ODD) + data[end:]
    if kind < 0.7:
        return _with_number(data, draw)
    begin, end = sorted(draw.randrange(len(data) + 1) for _ in range(2))
    if kind < 0.8:
        return data[:begin] + data[end:]
    if kind < 0.9:
        return data[:end] + data[begin:end] * draw.choice((1, 1, 2, 50)) + data[end:]
    if kind < 0.95:
        return data[:begin]
    return data[:begin] + draw.choice(_ODD) + data[begin:]


def _with_number(data: bytes, draw: random.Random) -> bytes:
    """A whole number at any place of a binary file becomes another."""
    width = draw.choice(_WIDTHS)
    most = 256**width - 1
    number = draw.choice((0, 1, most, most // 2, most // 2 + 1, draw.randint(0, most)))
    place = draw.randrange(len(data) + 1)
    order = "little" if draw.random() < 0.5 else "big"
    return data[:place] + number.to_bytes(width, order) + data[place + width :]  # type: ignore[arg-type]
