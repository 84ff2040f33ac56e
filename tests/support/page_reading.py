"""Reads Markdown pages as far as their tests need: links, headings, commands and paths."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^\s*```(\w*)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$")
_CODE = re.compile(r"`([^`]+)`")
_PATH = re.compile(
    r"(?:\.ci|client_app|docker|docs|fedmvp_assets|fedmvp_core|server_app|simulations|tests)/[\w./:-]*"
)
_COMMAND = re.compile(
    r"(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(?:fedmvp|flwr|make|mkdocs|pip|pytest|python3?) \S.*"
)
# What stands between the commands of a line; what follows ">" is a file.
_BREAKS = {"|", "||", "&", "&&", ";"}


@dataclass(frozen=True)
class Found:
    """A piece of a page and the line, counted from 1, on which it begins."""

    line: int
    text: str


@dataclass(frozen=True)
class Page:
    """prose: lines outside fenced blocks. blocks: lines of fenced blocks and their languages."""

    prose: tuple[Found, ...]
    blocks: tuple[tuple[str, Found], ...]

    def links(self) -> Iterator[Found]:
        """Targets of links and pictures that are no addresses of the web."""
        for found in self.prose:
            for target in _LINK.findall(_CODE.sub("", found.text)):
                if not re.match(r"[a-z]+:", target):
                    yield Found(found.line, target)

    def anchors(self) -> set[str]:
        """What `#...` of a link may be, as GitHub makes it of the headings."""
        anchors: dict[str, int] = {}
        for found in self.prose:
            if heading := _HEADING.match(found.text):
                name = anchor(heading[1])
                anchors[name] = anchors.get(name, -1) + 1
        return set(anchors) | {
            f"{name}-{n}" for name, last in anchors.items() for n in range(1, last + 1)
        }

    def paths(self) -> Iterator[Found]:
        """Paths of the repository in backticks; "path::name" without the name."""
        for found in self._code():
            if _PATH.fullmatch(found.text):
                yield Found(found.line, found.text.partition("::")[0])

    def commands(self) -> Iterator[Found]:
        """Every command of a bash block, and every one in backticks."""
        yield from joined([found for language, found in self.blocks if language == "bash"])
        yield from (found for found in self._code() if _COMMAND.fullmatch(found.text))

    def _code(self) -> Iterator[Found]:
        for found in self.prose:
            yield from (Found(found.line, text) for text in _CODE.findall(found.text))


def read_page(path: Path) -> Page:
    """A page's lines, told apart."""
    prose: list[Found] = []
    blocks: list[tuple[str, Found]] = []
    language: str | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if fence := _FENCE.match(line):
            language = fence[1] if language is None else None
        elif language is None:
            prose.append(Found(number, line))
        else:
            blocks.append((language, Found(number, line)))
    return Page(tuple(prose), tuple(blocks))


def anchor(heading: str) -> str:
    """A heading as GitHub's anchor: "What's new, `in` 2" -> "whats-new-in-2"."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def joined(lines: list[Found]) -> Iterator[Found]:
    """Lines that end with a backslash together with the next one; empty lines left out."""
    begun: Found | None = None
    for found in lines:
        text = found.text if begun is None else f"{begun.text[:-1]} {found.text.strip()}"
        begun = Found(found.line if begun is None else begun.line, text)
        if not text.endswith("\\"):
            if text.strip():
                yield begun
            begun = None


def words_of(line: str) -> list[list[str]]:
    """The words of each command of a shell line, without variables set before it and redirections.

    Raises:
        ValueError: a quote is not closed.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    for word in (words := iter(lexer)):
        if word in _BREAKS:
            commands.append([])
        elif word in (">", ">>", "<"):
            next(words, "")
        elif commands[-1] or not re.match(r"[A-Z_]+=", word):
            commands[-1].append(word)
    return [command for command in commands if command]
