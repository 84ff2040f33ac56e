"""What kind of thing a noun names, from WordNet's own database files (Debian: wordnet-base).

Icons have names ("dachshund") but no classes. WordNet's hypernyms ("dog", "mammal", "animal") give
the captions the class words that a tiny text encoder would otherwise never see beside a picture.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

# Words so general that "a kind of ..." says nothing about the picture.
TOO_GENERAL = frozenset(
    """entity physical_entity abstraction abstract_entity psychological_feature object whole
    artifact instrumentality causal_agent matter substance attribute relation group
    communication event act organism living_thing chordate vertebrate placental unit thing part
    state cognition content process measure causal_agency natural_object solid being action
    activity quality property message idea concept location region collection cause
    natural_phenomenon phenomenon social_group organization body diversion signal implementation
    definite_quantity indefinite_quantity fundamental_quantity time_period area line shape form
    point person worker adult male female leader man woman creation representation condition
    shape written_symbol written_communication symbol sign indication knowledge information
    device equipment covering structure way consumer_goods commodity visual_communication
    """.split()  # noqa: SIM905
)
DEPTH = 7


class WordNet:
    """The noun hierarchy: `kinds("golden retriever")` -> ["retriever", "dog", "mammal", ...]."""

    def __init__(self, folder: Path) -> None:
        self.data = (folder / "data.noun").read_bytes()
        self.first_sense: dict[str, int] = {}
        for line in (folder / "index.noun").read_text().splitlines():
            if not line.startswith(" "):
                fields = line.split()
                num_pointers = int(fields[3])
                self.first_sense[fields[0]] = int(fields[6 + num_pointers])

    @cache  # noqa: B019  one instance lives as long as the program
    def synset(self, offset: int) -> tuple[str, int | None]:
        """The first lemma of the synset at a byte offset, and the offset of its first hypernym."""
        fields = self.data[offset : self.data.index(b"\n", offset)].decode().split(" ")
        num_words = int(fields[3], 16)
        pointers = fields[5 + 2 * num_words :]
        for index, field in enumerate(pointers):
            if field in ("@", "@i"):
                return fields[4].lower(), int(pointers[index + 1])
        return fields[4].lower(), None

    def sense_of(self, phrase: str) -> int | None:
        """The commonest noun sense of a phrase, else of its last words, else of its first word."""
        words = phrase.split()
        candidates = ["_".join(words[i:]) for i in range(len(words))] + words[:1]
        for candidate in candidates:
            for form in (candidate, candidate.removesuffix("s")):
                if len(form) > 2 and form in self.first_sense:
                    return self.first_sense[form]
        return None

    def kinds(self, phrase: str) -> list[str]:
        """Hypernyms of a phrase, nearest first, without those that say nothing."""
        offset = self.sense_of(phrase)
        found: list[str] = []
        for _ in range(DEPTH):
            if offset is None:
                break
            lemma, offset = self.synset(offset)
            kind = lemma.replace("_", " ")
            if kind != phrase and lemma not in TOO_GENERAL:
                found.append(kind)
        return found
