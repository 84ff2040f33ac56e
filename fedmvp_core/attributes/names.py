"""When two names mean the same class, and two phrases say the same."""

import re


def name_key(name: str) -> str:
    """What is compared of a class's or data set's name: no case, spaces, "_" or "-".

    "Alarm_Clock" and "alarm clock" are one class, and so are "dining table" and "diningtable".
    """
    return re.sub(r"[\s_-]+", "", name).casefold()


def phrase_key(phrase: str) -> str:
    """What is compared of a phrase: no case, spacing or punctuation at its ends."""
    return " ".join(phrase.split()).strip(" .,;:!").casefold()
