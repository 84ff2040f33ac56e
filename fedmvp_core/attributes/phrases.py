"""Comparing and joining words: names of one class, equal phrases, and what stands between them."""

import re
import unicodedata

# The words between a class and an attribute: "a photo of a dog, WHICH HAS a wet nose." FedMVP and
# the descriptors of Menon and Vondrick (ICLR 2023) choose them by the phrase's first letters, so
# that "angular ears" becomes "which is angular ears". Here whole words decide; phrases that begin
# with "a" or "an" are joined as there.
_BEFORE = {
    "which is": ("a", "an", "used"),
    "which": ("has", "often", "typically", "may", "can"),
}
_GLUE = {word: glue for glue, words in _BEFORE.items() for word in words}


def name_key(name: str) -> str:
    """What is compared of a class's or data set's name: no case, spaces, "_" or "-".

    "Alarm_Clock" and "alarm clock" are one class, and so are "dining table" and "diningtable".
    Accents are one letter with theirs, as macOS's file names do not write them.
    """
    # Marks that a blank kept apart come together, and are put in order, once it is gone.
    letters = unicodedata.normalize("NFD", re.sub(r"[\s_-]+", "", name))
    return unicodedata.normalize("NFC", letters.casefold())


def phrase_key(phrase: str) -> str:
    """What is compared of a phrase: no case, spacing or punctuation at its ends."""
    return " ".join(phrase.split()).strip(" .,;:!").casefold()


def glue(phrase: str) -> str:
    """What the placeholder {glue} of an attribute template stands for before this phrase."""
    first = phrase.split(maxsplit=1)[0].casefold() if phrase.strip() else ""
    return _GLUE.get(first, "which has")
