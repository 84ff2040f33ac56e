"""Pretraining batches: which pictures, and a caption for each, put together from phrases."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from torch import Tensor

from simulations.assets.augment import augment

TEXT_LENGTH = 20
# Share of a batch that comes from: emoji, other emoji fonts, coloured pictures, one-ink icons.
GROUP_SHARES = (0.22, 0.12, 0.33, 0.33)
# Forms of a caption, with how often each is used where the picture's kind is known.
FORMS = (
    ("", "{name}", ""),
    ("a picture of a", "{name}", "."),
    ("", "{name}", ", a kind of", "{kind}"),
    ("a picture of a", "{kind}", "."),
    ("a picture of a", "{kind}", ", such as", "{name}", "."),
)
FORM_SHARES = (0.2, 0.2, 0.2, 0.25, 0.15)
CLASS_SHARE = 0.65  # how often a guessed class stands for WordNet's kinds, where there is one
NAME_ONLY = 2  # the first two forms need no kind


@dataclass
class Batch:
    """images: (batch, 3, 64, 64) augmented, in [0, 1]; tokens: (batch, 20); meanings: (batch, 384);
    labels: (batch,) rows of the class sentences, -1 where the picture's class is not known."""

    images: Tensor
    tokens: Tensor
    caption_meaning: Tensor
    picture_meaning: Tensor
    labels: Tensor


class CaptionedPictures:
    """All pictures of the pretraining cache, drawn by group, captioned and augmented on demand."""

    def __init__(self, work: Path, tokenizer: open_clip.SimpleTokenizer) -> None:
        self.images = np.load(work / "images.npy", mmap_mode="r")
        tables = np.load(work / "tables.npz")
        self.names, self.kinds = tables["names"], tables["kinds"]
        self.groups = tables["groups"]
        self.classes = np.load(work / "classes.npy")[self.names[:, 0]]
        self.class_phrases = np.unique(self.classes[self.classes >= 0])
        phrases = json.loads((work / "phrases.json").read_text())
        self.phrase_tokens = [tokenizer.encode(phrase)[:12] for phrase in phrases]
        self.teacher = torch.from_numpy(np.load(work / "teacher.npy")).float()
        self.members = [np.flatnonzero(self.groups == g) for g in range(len(GROUP_SHARES))]
        weights = self.picture_weights()
        self.cumulative = [np.cumsum(weights[m]) / weights[m].sum() for m in self.members]
        self.literals = {part: tokenizer.encode(part) for form in FORMS for part in form}
        self.start, self.end = tokenizer.sot_token_id, tokenizer.eot_token_id
        self.class_tokens = self.class_sentences()

    def picture_weights(self) -> NDArray[np.float64]:
        """How often each picture is drawn within its group, (pictures,).

        Many icons are buttons ("arrow up", "layout bottom"): those without a guessed class are
        drawn a fifth as often. Names with many drawings and classes with many names are drawn as
        the square root of their number.
        """
        first = self.names[:, 0]
        drawings = np.bincount(first, minlength=len(self.teacher))
        weights: NDArray[np.float64] = 1 / np.sqrt(drawings[first])
        known = self.classes >= 0
        totals = np.bincount(self.classes[known], weights[known], minlength=len(self.teacher))
        scale = np.sqrt(totals[totals > 0].mean() / totals[self.classes[known]])
        weights[known] *= scale
        weights[~known] *= 0.2
        weights[self.groups == 0] = 1.0
        return weights

    def draw_rows(self, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Picture indices, (size,), with the groups in their shares."""
        counts = [round(size * share) for share in GROUP_SHARES]
        counts[-1] = size - sum(counts[:-1])
        parts = [
            members[np.searchsorted(cumulative, rng.random(count)).clip(max=len(members) - 1)]
            for members, cumulative, count in zip(
                self.members, self.cumulative, counts, strict=True
            )
        ]
        return np.concatenate(parts)

    def caption(self, form: int, name: int, kind: int) -> list[int]:
        """Token ids of one caption, with start and end."""
        ids = [self.start]
        for part in FORMS[form]:
            if part == "{name}":
                ids += self.phrase_tokens[name]
            elif part == "{kind}":
                ids += self.phrase_tokens[kind]
            else:
                ids += self.literals[part]
        return [*ids[: TEXT_LENGTH - 1], self.end]

    def class_sentences(self) -> Tensor:
        """Tokens of "a picture of a {class}." for every class, (classes, 20)."""
        rows = [self.caption(3, 0, int(phrase)) for phrase in self.class_phrases]
        return torch.tensor([row + [0] * (TEXT_LENGTH - len(row)) for row in rows])

    def meaning(self, form: NDArray[np.int64], name: Tensor, kind: Tensor) -> Tensor:
        """The teacher's unit embedding of what each caption says, (batch, 384)."""
        spoken = torch.from_numpy(np.stack([form != 3, form >= NAME_ONLY], axis=1)).float()
        mixed = spoken[:, :1] * self.teacher[name] + spoken[:, 1:] * self.teacher[kind]
        return torch.nn.functional.normalize(mixed, dim=-1)

    def batch(self, size: int, rng: np.random.Generator, torch_rng: torch.Generator) -> Batch:
        """A fresh batch."""
        rows = self.draw_rows(size, rng)
        names = self.names[rows, rng.integers(0, self.names.shape[1], size)]
        names = np.where(rng.random(size) < 0.5, self.names[rows, 0], names)
        kinds = self.kinds[rows, rng.integers(0, self.kinds.shape[1], size)]
        use_class = (self.classes[rows] >= 0) & (rng.random(size) < CLASS_SHARE)
        kinds = np.where(use_class, self.classes[rows], kinds)
        forms = rng.choice(len(FORMS), size, p=FORM_SHARES)
        forms = np.where((kinds < 0) & (forms >= NAME_ONLY), forms % NAME_ONLY, forms)
        tokens = np.zeros((size, TEXT_LENGTH), dtype=np.int64)
        for row, (form, name, kind) in enumerate(zip(forms, names, kinds, strict=True)):
            ids = self.caption(form, name, kind)
            tokens[row, : len(ids)] = ids
        name_ids, kind_ids = torch.from_numpy(names), torch.from_numpy(kinds.clip(0))
        with_kind = np.where(kinds < 0, 0, 2)
        images = torch.from_numpy(self.images[rows]).permute(0, 3, 1, 2).contiguous().float()
        colour = torch.from_numpy(self.groups[rows] < 3)
        labels = np.searchsorted(self.class_phrases, self.classes[rows].clip(0))
        return Batch(
            labels=torch.from_numpy(np.where(self.classes[rows] < 0, -1, labels)),
            images=augment(images.div_(255), colour, torch_rng),
            tokens=torch.from_numpy(tokens),
            caption_meaning=self.meaning(forms, name_ids, kind_ids),
            picture_meaning=self.meaning(with_kind, name_ids, kind_ids),
        )
