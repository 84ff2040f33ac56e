"""What a check found: one sentence that says what is right, or what is wrong and what helps."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

OK, WARNING, FAILED = "ok", "warning", "failed"
_STYLE = {OK: "green", WARNING: "yellow", FAILED: "red"}


@dataclass(frozen=True)
class Finding:
    """check: port, certificate, key, clock, version, data or device; words: one sentence."""

    check: str
    level: str
    words: str


def failures(findings: Sequence[Finding]) -> list[Finding]:
    """Those that keep a run from starting."""
    return [finding for finding in findings if finding.level == FAILED]


def show_findings(console: Console, findings: Sequence[Finding]) -> None:
    """A table on a terminal; elsewhere a line for each, however long, as logs want them."""
    if not console.is_terminal:
        for finding in findings:
            line = f"{finding.level:7} {finding.check}: {finding.words}"
            console.print(line, soft_wrap=True, highlight=False, markup=False)
        return
    table = Table("check", "", "what was found", box=None, pad_edge=False)
    for finding in findings:
        level = Text(finding.level, _STYLE[finding.level])
        table.add_row(finding.check, level, finding.words)
    console.print(table)
