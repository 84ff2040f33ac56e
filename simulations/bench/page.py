"""Tables between two marker comments of a page of documentation."""

from pathlib import Path

from fedmvp_core.errors import DataError

BEGIN, END = "<!-- fedmvp bench gpu -->", "<!-- end of fedmvp bench gpu -->"


def write_between(page: Path, text: str) -> None:
    """Put text in the place of what stands between the markers.

    Raises:
        DataError: the page has not one of each, in this order.
    """
    content = page.read_text(encoding="utf-8")
    before, begin, rest = content.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or content.count(BEGIN) + content.count(END) != 2:
        raise DataError(f"{page} has not '{BEGIN}' and, behind it, '{END}', once each")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
