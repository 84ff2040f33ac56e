"""The pages are true as far as a test can say: links, commands and paths in them exist."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from page_commands import complaints
from page_reading import Page, anchor, read_page, words_of

PROJECT = Path(__file__).resolve().parents[1]
PAGES = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((PROJECT / "docs").glob("*.md")),
]
on_every_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


def faults_of_links(path: Path) -> list[str]:
    """Links of a page to files and headings that are not there."""
    faults = []
    for link in read_page(path).links():
        name, _, heading = link.text.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists():
            faults.append(f"{path.name}:{link.line}: '{link.text}': there is no such file")
        elif heading and heading not in read_page(target).anchors():
            faults.append(f"{path.name}:{link.line}: '{link.text}': there is no such heading")
    return faults


def faults_of_commands(path: Path) -> list[str]:
    """Commands of a page that do not exist."""
    faults = []
    for command in read_page(path).commands():
        try:
            found = [fault for words in words_of(command.text) for fault in complaints(words)]
        except ValueError as error:
            found = [f"'{command.text}' is no shell line: {error}"]
        faults += [f"{path.name}:{command.line}: {fault}" for fault in found]
    return faults


def faults_of_paths(path: Path) -> list[str]:
    """Paths in backticks that are not in the repository; those of tests may begin in tests/."""
    return [
        f"{path.name}:{found.line}: '{found.text}': there is no such file"
        for found in read_page(path).paths()
        if not (PROJECT / found.text).exists() and not (PROJECT / "tests" / found.text).exists()
    ]


def told(faults: Iterable[str]) -> str:
    return "\n".join(faults)


@on_every_page
def test_links_lead_somewhere(path: Path) -> None:
    faults = faults_of_links(path)
    assert not faults, told(faults)


@on_every_page
def test_commands_exist(path: Path) -> None:
    faults = faults_of_commands(path)
    assert not faults, told(faults)


@on_every_page
def test_paths_exist(path: Path) -> None:
    faults = faults_of_paths(path)
    assert not faults, told(faults)


def test_the_site_has_every_page() -> None:
    navigation = (PROJECT / "mkdocs.yml").read_text(encoding="utf-8")
    missing = [p.name for p in (PROJECT / "docs").glob("*.md") if f"{p.name}\n" not in navigation]
    assert not missing, f"mkdocs.yml does not name {missing}"


def test_the_pages_hold_what_is_looked_for() -> None:
    """A reader of pages that finds nothing would find no fault either."""
    pages = [read_page(path) for path in PAGES]
    assert sum(len([*page.commands()]) for page in pages) > 80
    assert sum(len([*page.links()]) for page in pages) > 60
    assert sum(len([*page.paths()]) for page in pages) > 60


# --- the tests' own reading and checks


def page(folder: Path, text: str) -> Path:
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("\n[here](nowhere.md)", "page.md:2: 'nowhere.md': there is no such file"),
        ("# One\n[here](#two)", "page.md:2: '#two': there is no such heading"),
        ("![a](page.md#two) [b](page.md)", "page.md:1: 'page.md#two': there is no such heading"),
    ],
)
def test_a_dead_link_is_found(tmp_path: Path, text: str, fault: str) -> None:
    assert faults_of_links(page(tmp_path, text)) == [fault]


def test_what_is_no_link_of_ours_is_left_alone(tmp_path: Path) -> None:
    text = (
        "# One, `two`!\n[a](#one-two) [b](https://example.org/x) `[c](d.md)`\n```\n[e](f.md)\n```"
    )
    assert faults_of_links(page(tmp_path, text)) == []


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("fedmvp runn demo", "no such subcommand"),
        ("fedmvp deploy locl", "no such subcommand"),
        ("fedmvp run demo --supernode 3", "has no option '--supernode'"),
        ("fedmvp run demo round=3", "unknown run-config key 'round'"),
        ("fedmvp run metod.lora-rank=3", "no kind of plugin is called 'metod'"),
        ("fedmvp run method=fedmpv", "no method is called 'fedmpv'"),
        ("fedmvp run dataset=emojithings,emojis", "no dataset is called 'emojis'"),
        ("fedmvp run --supernodes 3 dmo", "no such name"),
        ("fedmvp suite emoji-thing", "no such name"),
        ("fedmvp datasets check caltech", "no such name"),
        ("flwr run . -c 'rounds=1 sed=2'", "unknown run-config key 'sed'"),
        ("python -m simulations.benchmarks.prompt_spred", "no module is called"),
        ("python -m simulations.nowhere.prompt_spread", "no module is called"),
        ("python -m simulations.benchmarks.fuzz.replies --cout 3", "has no option '--cout'"),
        ("python -m simulations.benchmarks.fuzz all --second 3", "has no option '--second'"),
        ("python -m simulations.benchmarks.crash.matrix round=2", "unknown run-config key"),
        ("fedmvp bench side-by-side round=2", "unknown run-config key"),
        ("fedmvp bench stp", "no such name"),
        ("fedmvp bench step --bach 3", "has no option '--bach'"),
        ("pytest tests/test_doc.py", "'tests/test_doc.py' does not exist"),
        ("python -m pytest -m slo", "known markers"),
        ("make demos", "make has no target 'demos'"),
        ("pip install -e '.[doc]'", "no extra is called 'doc'"),
        ("docker/superlnk.sh", "'docker/superlnk.sh' does not exist"),
        ("A=1 fedmvp-run demo", "unknown program 'fedmvp-run'"),
        ("cd docker && docker build -f docker/Dockerfil .", "'docker/Dockerfil' does not exist"),
        ("fedmvp list > a.txt | make demos", "make has no target 'demos'"),
        ("fedmvp run 'demo", "is no shell line"),
    ],
)
def test_a_command_that_does_not_exist_is_found(tmp_path: Path, command: str, fault: str) -> None:
    found = faults_of_commands(page(tmp_path, f"text\n```bash\n{command}\n```\n"))
    assert len(found) == 1
    assert found[0].startswith("page.md:3: ")
    assert fault in found[0]


@pytest.mark.parametrize(
    "command",
    [
        "fedmvp run method=capt method.context-length=4 --supernodes 3    # words",
        "A=1 .venv/bin/fedmvp attack demo --attack pgd --epsilon 1/255 4/255",
        "fedmvp run 'template=a photo of a {class}.' dataset=hf:uoft-cs/cifar10",
        "fedmvp suite mine/suite.toml --seeds 1 2",
        'pip install -e ".[dev,docs]"',
    ],
)
def test_a_command_that_exists_is_let_pass(tmp_path: Path, command: str) -> None:
    assert faults_of_commands(page(tmp_path, f"```bash\n{command}\n```\n")) == []


def test_commands_of_several_lines_and_in_backticks(tmp_path: Path) -> None:
    block = "```bash\nfedmvp run demo \\\n    round=1\n```\n"
    text = f"By `make demos`.\n{block}```\nfedmvp nothing\n```\n"
    faults = faults_of_commands(page(tmp_path, text))
    assert sorted(fault.partition(": ")[0] for fault in faults) == ["page.md:1", "page.md:3"]


def test_a_path_that_does_not_exist_is_found(tmp_path: Path) -> None:
    text = "`fedmvp_core/nothing.py`, `fedmvp_core/logits.py`, `test_docs.py::nothing`, `docs/`"
    faults = faults_of_paths(page(tmp_path, text))
    assert faults == ["page.md:1: 'fedmvp_core/nothing.py': there is no such file"]


def test_anchors_are_github_s() -> None:
    assert anchor("Which shard a node holds: the node config") == (
        "which-shard-a-node-holds-the-node-config"
    )
    assert anchor("What's new, `in` [2](x.md)") == "whats-new-in-2"
    twice = Page(prose=tuple(read_page(PROJECT / "README.md").prose) * 2, blocks=())
    assert "attacks-1" in twice.anchors()
