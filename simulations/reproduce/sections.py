"""A page as sections of sentences and tables, written as Markdown and as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import jinja2

from fedmvp_core.disk import replace_text
from fedmvp_core.errors import printable


@dataclass(frozen=True)
class Section:
    """A heading, sentences, a command, and a table: its header first; () for none."""

    title: str
    sentences: Sequence[str] = ()
    table: Sequence[Sequence[str]] = ()
    command: str = ""

    def without(self, folders: Sequence[str]) -> Self:
        """With paths in these folders shortened to what lies below; the command stays as it is."""

        def shortened(text: str) -> str:
            for folder in folders:
                text = text.replace(f"{folder}/", "")
            return text

        sentences = [shortened(sentence) for sentence in self.sentences]
        table = [[shortened(cell) for cell in row] for row in self.table]
        return replace(self, sentences=sentences, table=table)


def write_page(path: Path, title: str, sections: Sequence[Section]) -> tuple[Path, Path]:
    """Write <path>.md and <path>.html, which needs no other file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    markdown, page = Path(f"{path}.md"), Path(f"{path}.html")
    replace_text(markdown, as_markdown(title, sections))
    replace_text(page, as_html(title, sections))
    return markdown, page


def as_markdown(title: str, sections: Sequence[Section]) -> str:
    """The page for a repository or an issue."""
    parts = [f"# {title}"]
    for section in sections:
        parts.append(f"## {section.title}")
        parts += [_escaped(sentence) for sentence in section.sentences]
        if section.command:
            parts.append(f"```bash\n{section.command}\n```")
        if section.table:
            parts.append(_markdown_table(section.table))
    return printable("\n\n".join(parts) + "\n")


def _markdown_table(table: Sequence[Sequence[str]]) -> str:
    header, *rows = table
    lines = (header, ["---"] * len(header), *rows)
    return "\n".join(f"| {' | '.join(_escaped(cell) for cell in line)} |" for line in lines)


def _escaped(text: str) -> str:
    """One line, in which no character makes a column or a tag."""
    one_line = " ".join(text.split())
    for character in "\\|<*":
        one_line = one_line.replace(character, f"\\{character}")
    return one_line


def as_html(title: str, sections: Sequence[Section]) -> str:
    """The page for a browser, in the style of a run's report."""
    loader = jinja2.ChoiceLoader(
        [jinja2.PackageLoader(f"simulations.{room}", ".") for room in ("reproduce", "report")]
    )
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    template = environment.get_template("page.html.j2")
    return printable(template.render(title=title, sections=sections))
