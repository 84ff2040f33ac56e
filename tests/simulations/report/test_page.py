import json
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fedmvp_core.errors import DataError
from simulations.report import write_report


class Page(HTMLParser):
    """Tags, attributes and plain text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: Counter[str] = Counter()
        self.text = ""
        self.feed(text)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.text += data


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def test_a_finished_run(make_run, tmp_path):
    path = write_report(make_run(tmp_path / "run"))
    page = read(path)
    assert path == tmp_path / "run" / "report.html"
    assert path.stat().st_size < 1_000_000
    for words in (
        "Harmonic mean accuracy after round 20 is 52.0 %: 4.4 points above the frozen model",
        "Below the frozen model: New accuracy by 3.1 points",
        "Local 74.0 % +12.0 points zero-shot 62.0 %",
        "Base 49.7 % +9.5 points zero-shot 40.2 %",
        "New 42.0 % −3.1 points zero-shot 45.1 %",
        "6 clients",
        "470,000 trained numbers",
        "128 MB sent up in all",
        "1 failed client answers",
        "made from the run's tables alone",
    ):
        assert words in page.text
    assert page.tags["svg"] == 10


def test_a_run_whose_clients_tell_neither_names_nor_metrics(make_run, tmp_path):
    folder = make_run(tmp_path / "run")
    shards = json.loads((folder / "shards.json").read_text(encoding="utf-8"))
    untold = {"num-examples": 0, "classes": {}, "domains": {}}
    (folder / "shards.json").write_text(json.dumps([shard | untold for shard in shards]))
    lines = (folder / "metrics.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if ",train,loss," not in line and ",train-loss," not in line]
    assert len(kept) < len(lines)
    (folder / "metrics.csv").write_text("".join(kept), encoding="utf-8")
    page = read(write_report(folder))
    assert "client 5––" in page.text
    assert page.tags["svg"] == 8, "without the charts of the shards and of the loss"
    assert "52.0 %" in page.text


def test_it_needs_nothing_from_outside(make_run, tmp_path):
    path = write_report(make_run(tmp_path / "run"))
    text, page = path.read_text(), read(path)
    links = ("src", "href", "xlink:href", "action", "data", "poster", "srcset")
    for _, name, value in page.attributes:
        assert name not in links or value.startswith(("data:", "#"))
    assert not {"script", "iframe", "object", "embed", "base"} & set(page.tags)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert "http" not in text


def test_ids_are_unique_and_references_lead_somewhere(make_run, tmp_path):
    path = write_report(make_run(tmp_path / "run"))
    page = read(path)
    ids = Counter(value for _, name, value in page.attributes if name == "id")
    assert ids
    assert max(ids.values()) == 1
    wanted = {
        value[1:] for _, name, value in page.attributes if name == "xlink:href" and value[0] == "#"
    }
    wanted |= set(re.findall(r"url\(#([^)]+)\)", path.read_text()))
    assert wanted
    assert wanted <= set(ids)


def test_the_charts_are_well_formed(make_run, tmp_path):
    text = write_report(make_run(tmp_path / "run")).read_text()
    for svg in re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL):
        ElementTree.fromstring(svg.replace("xlink:href", "href"))


def test_names_are_escaped_everywhere(make_run, tmp_path):
    text = write_report(make_run(tmp_path / "run")).read_text()
    assert "<run>" not in text
    assert "<b>bold" not in text
    assert text.count("&lt;b&gt;bold &amp;") >= 2  # in the class bars and in the map
    assert "costs $5 or $6" in text  # and not set as mathematics


def test_the_same_run_gives_the_same_page(make_run, tmp_path):
    folder = make_run(tmp_path / "run")
    assert write_report(folder).read_bytes() == write_report(folder).read_bytes()


def test_a_failed_run_says_so(make_run, tmp_path):
    error = "client 3: <CUDA> out of memory"
    page = read(write_report(make_run(tmp_path / "run", done=7, status="failed", error=error)))
    assert "This run failed after 7 of 20 rounds." in page.text
    assert error in page.text
    assert "accuracy after round 5 is 50.8 %" in page.text


def test_an_interrupted_run_says_so(make_run, tmp_path):
    page = read(write_report(make_run(tmp_path / "run", done=3, status="interrupted")))
    assert "This run was interrupted after 3 of 20 rounds." in page.text


def test_a_run_that_has_only_begun(make_run, tmp_path):
    page = read(write_report(make_run(tmp_path / "run", done=0, status="running")))
    assert "had not finished when the report was made (0 of 20 rounds)" in page.text
    assert "before any training is 47.6 %, the same as the frozen model" in page.text


def test_a_configuration_alone_is_enough(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"run-name": "bare", "seed": 1}))
    page = read(write_report(tmp_path))
    assert "This run has not been evaluated yet." in page.text
    assert "fedmvp run run-name=bare" in page.text


def test_msst_shows_source_and_target(make_run, tmp_path):
    page = read(write_report(make_run(tmp_path / "run", setting="msst")))
    assert "Target accuracy after round 20 is 36.2 %: 5.2 points above" in page.text
    assert "Source 66.0 % +11.0 points zero-shot 55.0 %" in page.text
    assert "target domain sketch" in page.text
    assert "Harmonic mean" not in page.text


def test_a_run_with_one_client(make_run, tmp_path):
    page = read(write_report(make_run(tmp_path / "run", clients=1)))
    assert "1 client 20 rounds" in page.text


def test_many_clients_and_classes(make_run, tmp_path):
    path = write_report(make_run(tmp_path / "run", clients=40, classes=100))
    assert path.stat().st_size < 1_500_000
    assert "accuracy on the new classes, %: 40 of 100" in path.read_text()


def test_no_later_phase_leaves_its_chart_out(make_run, tmp_path):
    page = read(write_report(make_run(tmp_path / "run", lora_from=99)))
    assert "a later phase" not in page.text


def test_the_command_repeats_what_differs_from_the_defaults(make_run, tmp_path):
    keys = {"template": "it's a {class}", "clients": 0, "overwrite": False}
    page = read(write_report(make_run(tmp_path / "run", config=keys)))
    command = re.search(r"fedmvp run .*? learning-rate=0.01", page.text).group()
    assert "'run-name=a <run> & more'" in command
    assert "seed=7" in command
    assert "clients=6" in command  # 0 stands for one a supernode, of which there were six
    assert """'template=it'"'"'s a {class}'""" in command
    assert "output-dir" not in command
    assert "rounds=" not in command  # as by default


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(DataError, match=r"no run folder: it holds no config\.json"):
        write_report(tmp_path)


def test_the_backbone_s_activation_is_said_where_it_is_known(make_run, tmp_path):
    folder = make_run(tmp_path / "run")
    assert "Activation of the backbone" not in read(write_report(folder)).text
    path = folder / "environment.json"
    said = "GELU, by the backbone's name 'ViT-B-32', since clip.pt does not tell it"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"activation": said}))
    assert f"Activation of the backbone: {said}." in read(write_report(folder)).text
