"""`fedmvp shards`: what is printed and drawn is what the clients of a run would hold."""

import re
from pathlib import Path

import numpy as np
import pytest
from run_configs import run_config
from typer.testing import CliRunner

from fedmvp_core.data.settings import load_setting
from fedmvp_core.data.shards import make_shards
from simulations import cli
from simulations.datasets.shard_plot import shard_counts, shard_figure
from simulations.datasets.shard_tables import shards_table

SCENES = ["dataset=emojiscenes", "setting=gzsl", "partition=kmeans-labels", "mask-rate=0.3"]


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def fedmvp(*words: str):
    return CliRunner().invoke(cli.app, list(words))


def rows(output: str) -> list[list[str]]:
    """The cells of each row of the table that starts with a client's number."""
    cells = [[c.strip() for c in line.split("│")[1:-1]] for line in output.splitlines()]
    return [row for row in cells if row and row[0].isdigit()]


def test_the_rows_are_the_shards_of_the_run(picture_folder):
    words = ["dataset=imagefolder", f"data-dir={picture_folder}", "shots=3", "partition=iid"]
    result = fedmvp("shards", *words, "--supernodes", "4")
    assert result.exit_code == 0, result.output
    config = run_config(
        dataset="imagefolder", data_dir=str(picture_folder), shots=3, partition="iid"
    )
    shards = make_shards(load_setting(config, 64), 4, config)
    found = rows(result.output)
    assert [row[:4] for row in found] == [
        [
            str(shard.partition_id),
            str(len(shard.images)),
            str(len(shard.validation)),
            str(len(shard.task.class_names)),
        ]
        for shard in shards
    ]
    for row, shard in zip(found, shards, strict=True):
        for name, count in shard.images.class_counts().items():
            assert f"{name} {count}" in row[5]
        assert set(re.findall(r"drawn|photo", row[4])) == set(shard.images.domains)
    total = sum(len(shard.images) for shard in shards)
    assert f"4 clients hold {total} of 24 training images and 3 of 3 training" in result.output


def test_only_the_largest_counts_are_named():
    config = run_config(setting="few-shot", partition="iid")
    table = shards_table(make_shards(load_setting(config, 8), 1, config), "one client")
    (cell,) = table.columns[-1].cells
    counts = [int(count) for count in re.findall(r"\w (\d+)", str(cell))]
    assert len(counts) == 6
    assert counts == sorted(counts, reverse=True)
    assert str(cell).endswith("30 more"), "of 36 classes"


def test_images_with_several_labels_are_counted_by_label(tmp_path: Path):
    plot = tmp_path / "scenes.png"
    result = fedmvp("shards", *SCENES, "--supernodes", "3", "--plot", str(plot))
    assert result.exit_code == 0, result.output
    assert len(rows(result.output)) == 3
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_the_plot_holds_every_count(tmp_path: Path):
    config = run_config(partition="dirichlet")
    setting = load_setting(config, 8)
    shards = make_shards(setting, 3, config)
    names = setting.train.class_names
    counts = shard_counts(shards, names)
    assert counts.sum() == sum(len(shard.images) for shard in shards)
    for client, shard in enumerate(shards):
        for name, count in shard.images.class_counts().items():
            assert counts[names.index(name), client] == count
    figure = shard_figure(counts, names)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == list(names)
    written = {(*map(int, t.get_position()[::-1]), int(t.get_text())) for t in axes.texts}
    assert written == {(r, c, n) for (r, c), n in np.ndenumerate(counts) if n}


def test_many_classes_and_clients_are_drawn_without_names():
    large = (np.arange(200 * 60) % 7).reshape(200, 60)
    axes = shard_figure(large, [f"class {i}" for i in range(200)]).axes[0]
    assert not axes.texts
    assert axes.get_ylabel().startswith("200 classes")
    assert len(axes.get_xticks()) <= 20


def test_the_same_svg_each_time(tmp_path: Path):
    drawings = []
    for name in ("one.svg", "two.svg"):
        result = fedmvp("shards", "partition=iid", "--plot", str(tmp_path / name))
        assert result.exit_code == 0, result.output
        drawings.append((tmp_path / name).read_text())
    assert drawings[0] == drawings[1]
    assert drawings[0].lstrip().startswith("<?xml")


def test_as_many_clients_as_in_the_paper(picture_folder):
    words = ["dataset=imagefolder", f"data-dir={picture_folder}", "--paper"]
    result = fedmvp("shards", *words)
    assert "1 client holds 24 of 24 training images" in result.output
    by_domain = ["setting=few-shot", "partition=by-domain-and-class"]
    result = fedmvp("shards", *words, *by_domain)
    assert "2 clients hold 48 of 48" in result.output, "6 classes are few: one client a domain"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--plot", "drawing.pdf"], "--plot is 'drawing.pdf'; allowed: a file that ends in .svg"),
        (["--plot", "no/such/a.svg"], "but there is no folder"),
        (["--paper", "--supernodes", "3"], "both give a number; name one"),
        (["--supernodes", "0"], "supernodes is 0; allowed: 1 or more"),
        (
            ["dataset=emojidomains", "--supernodes", "19"],
            "19 clients, but partition 'disjoint-classes' has 18 classes",
        ),
        (["clients=3", "--supernodes", "4"], "clients is 3 but supernodes is 4; allowed"),
        ([*SCENES, "--paper"], "no rule for the number of clients of emojiscenes"),
        (["setting=zsl"], "setting 'zsl' needs images with several labels"),
        (["nowhere"], "unknown run 'nowhere'"),
    ],
)
def test_what_cannot_be_is_refused(words, message):
    result = fedmvp("shards", *words)
    assert result.exit_code == 2
    assert message in result.stderr
