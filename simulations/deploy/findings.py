"""What a check found: a line that says what is right, or what is wrong and where to look."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

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


def findings_table(findings: Sequence[Finding]) -> Table:
    """One row for each finding."""
    table = Table("check", "", "what was found", box=None, pad_edge=False)
    for finding in findings:
        style = _STYLE[finding.level]
        table.add_row(finding.check, f"[{style}]{finding.level}[/]", finding.words)
    return table
