"""Texts out of a file as names of a project and its classes: any text becomes one that a project takes."""

import unicodedata
from collections.abc import Sequence

from teachable.errors import InvalidInput
from teachable.projects.names import clean_name, free_name, name_key
from teachable.settings import limits
from teachable.words import say

_LONGEST_ENDING = 5


def class_names(labels: Sequence[str]) -> list[str]:
    """Return a name for each class, unlike the others; what a file says wherever a project takes that."""
    taken: set[str] = set()
    found = []
    for number, label in enumerate(labels, 1):
        name = free_name(usable_name(label) or say("note.import.class", number=number), taken)
        taken.add(name_key(name))
        found.append(name)
    return found


def title_of(name: str) -> str:
    """Return what to call a project of a file: its name without the ending."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    stem, dot, ending = last.rpartition(".")
    whole = stem if dot and stem and len(ending) <= _LONGEST_ENDING else last
    return usable_name(whole) or say("note.import.title")


def usable_name(text: str) -> str | None:
    """Return a text as a project takes it for a name, or None where nothing of it is left."""
    plain = "".join(letter for letter in text[:1000] if unicodedata.category(letter) not in {"Cc", "Cs", "Zl", "Zp"})
    try:
        return clean_name(unicodedata.normalize("NFC", plain.strip())[: limits().name_length])
    except InvalidInput:
        return None
