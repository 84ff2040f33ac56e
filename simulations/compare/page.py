"""The comparison as one HTML page that stands alone."""

from collections.abc import Mapping
from pathlib import Path

from fedmvp_core.disk import replace_text
from simulations.compare import curves, differences, numbers
from simulations.report.page import page_environment
from simulations.report.run_data import RunData

TEMPLATE = "compare.html.j2"


def write_comparison(runs: Mapping[str, RunData], path: Path) -> None:
    """Write the page of some runs, by what they are called."""
    replace_text(path, render(runs))


def render(runs: Mapping[str, RunData]) -> str:
    """The page as text."""
    listed = list(runs.values())
    template = page_environment("simulations.compare", "simulations.report").get_template(TEMPLATE)
    return template.render(
        names=list(runs),
        looks=curves.looks(len(runs)),
        configuration=differences.configuration_rows(listed),
        versions=differences.version_rows(listed),
        other_pictures=differences.other_pictures(runs),
        rows=numbers.number_rows(listed),
        costs=numbers.cost_rows(listed),
        charts=curves.accuracy_charts(listed),
        loss=curves.loss_chart(listed),
    )
